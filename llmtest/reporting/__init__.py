"""How it is told: tables for a terminal, JSON, the events of a run as a file, metrics and spans."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.reporting._billed_call import BilledCall
    from llmtest.reporting._billed_calls import billed_calls
    from llmtest.reporting._cassettes import print_cassette
    from llmtest.reporting._event_file import EVENT_SCHEMA, EventFile, RunHeader
    from llmtest.reporting._event_listener import EventListener
    from llmtest.reporting._event_reading import RecordedRun, read_events
    from llmtest.reporting._event_schema import event_reference, event_schema
    from llmtest.reporting._prometheus import PrometheusMetrics
    from llmtest.reporting._repricing import Pricing, price_calls
    from llmtest.reporting._span_export import export_spans
    from llmtest.reporting._spans import OpenTelemetrySpans
    from llmtest.reporting._spend_comparison import ComparedSpend, SpendComparison, compare_spending
    from llmtest.reporting._spend_page import spending_page
    from llmtest.reporting._spend_report import SpendReport
    from llmtest.reporting._spend_tables import comparison_csv, print_comparison, print_spending, spending_csv
    from llmtest.reporting._terminal import print_results

_HOMES = {
    "BilledCall": "llmtest.reporting._billed_call",
    "ComparedSpend": "llmtest.reporting._spend_comparison",
    "EVENT_SCHEMA": "llmtest.reporting._event_file",
    "EventFile": "llmtest.reporting._event_file",
    "EventListener": "llmtest.reporting._event_listener",
    "OpenTelemetrySpans": "llmtest.reporting._spans",
    "Pricing": "llmtest.reporting._repricing",
    "PrometheusMetrics": "llmtest.reporting._prometheus",
    "RecordedRun": "llmtest.reporting._event_reading",
    "RunHeader": "llmtest.reporting._event_file",
    "SpendComparison": "llmtest.reporting._spend_comparison",
    "SpendReport": "llmtest.reporting._spend_report",
    "billed_calls": "llmtest.reporting._billed_calls",
    "compare_spending": "llmtest.reporting._spend_comparison",
    "comparison_csv": "llmtest.reporting._spend_tables",
    "event_reference": "llmtest.reporting._event_schema",
    "event_schema": "llmtest.reporting._event_schema",
    "export_spans": "llmtest.reporting._span_export",
    "price_calls": "llmtest.reporting._repricing",
    "print_cassette": "llmtest.reporting._cassettes",
    "print_comparison": "llmtest.reporting._spend_tables",
    "print_results": "llmtest.reporting._terminal",
    "print_spending": "llmtest.reporting._spend_tables",
    "read_events": "llmtest.reporting._event_reading",
    "spending_csv": "llmtest.reporting._spend_tables",
    "spending_page": "llmtest.reporting._spend_page",
}

__all__ = [
    "EVENT_SCHEMA",
    "BilledCall",
    "ComparedSpend",
    "EventFile",
    "EventListener",
    "OpenTelemetrySpans",
    "Pricing",
    "PrometheusMetrics",
    "RecordedRun",
    "RunHeader",
    "SpendComparison",
    "SpendReport",
    "billed_calls",
    "compare_spending",
    "comparison_csv",
    "event_reference",
    "event_schema",
    "export_spans",
    "price_calls",
    "print_cassette",
    "print_comparison",
    "print_results",
    "print_spending",
    "read_events",
    "spending_csv",
    "spending_page",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
