"""What goes into a prompt besides the question: gathered from sources, and as much of it as fits.

| file | what it is |
|---|---|
| `_relevance` | how much a text has to do with a question, and how alike two texts are |
| `_requirements` | what a tool needs, in Caxton's words |
| `_source` | where context comes from |
| `_assembled` | what came of it |
| `_block` | the context as part of a request |
| `_turns` | a conversation as turns |
| `_gathering` | all sources, asked and scored |
| `_selection` | what goes along |
| `_assembler` | all of it in order |
| `_assembled_provider` | it around the calls of a provider |
"""
