"""Publicly reported faults of other libraries, reproduced by small apps of our own, and what catches each.

| file | what it holds |
|---|---|
| `cases/ENVIRONMENT/` | the faults, a class each, in the environment that has their library |
| `environments/ENVIRONMENT.txt` | what is installed in it, to the version |
| `_case` | what a case is made of |
| `_catalogue` | the cases as they are written: their libraries are not there where the page is made |
| `check_cases.py` | run in each environment: the fault is there, is caught, is named, and its cure is not accused |
| `page.py` | the table in the documentation |
"""
