"""Caxton, `llm-provider-integration`: what goes into a prompt besides the question, with the document's own files."""

import json

import pytest

from llmtest import (
    ChatMessage,
    CompletionRequest,
    ContextAssembler,
    ContextSource,
    Simulation,
    ToolDefinition,
    load_context_requirements,
)
from llmtest.costs import estimate_request_tokens
from llmtest.errors import ContextLengthExceededError, ScenarioError
from llmtest.resilience import ContextFormat, MemorySearch

DATA_ANALYSIS = """
# Example: Data Analysis Tool Context Specification
context_requirements:
  conversation_depth: 10        # Include last 10 conversation turns
  memory_search:
    query_template: "data analysis {{request_type}} similar to {{user_request}}"
    max_results: 15             # Up to 15 relevant memory entries
    min_similarity: 0.7         # Only highly relevant memories
  capability_context: true      # Include related capability information
  tool_data:                    # Specific tool data to include
    - "user_preferences"
    - "recent_analysis_results"
    - "data_schema_cache"
  provider_optimization:        # LLM-specific settings
    openai:
      max_context_tokens: 8000
      function_calling_format: true
    anthropic:
      max_context_tokens: 12000
      structured_output: true
"""
PDF_GENERATOR = """
# pdf_generator tool context specification
name: "pdf_generator"
description: "Advanced PDF report generation with templating"
context_requirements:
  conversation_depth: 3  # Focus on recent report requirements
  memory_search:
    query_template: "PDF report {{report_type}} {{business_context}}"
    max_results: 8
    focus_areas: ["report_templates", "user_preferences", "formatting_standards"]
  tool_data:
    - "template_library"      # Available report templates
    - "user_style_preferences" # Preferred fonts, colors, layouts
    - "recent_generation_stats" # Performance and usage data
  provider_optimization:
    openai:
      structured_output: true   # Use structured function calling
      max_context_tokens: 6000
    anthropic:
      tool_use_format: true     # Use Anthropic's tool format
      max_context_tokens: 8000
"""
REQUEST = json.loads(
    """
{
  "request_context": {
    "requesting_agent": "DataProcessor",
    "requested_capability": "report-generation",
    "request_parameters": {
      "format": "pdf",
      "template": "quarterly-summary"
    },
    "context_requirements": {
      "conversation_depth": 5,
      "memory_similarity_threshold": 0.8,
      "tool_context_sources": ["user_preferences", "report_templates"]
    }
  },
  "conversation_history": [
    {"role": "user", "content": "Analyze Q3 sales data"},
    {"role": "assistant", "content": "I'll process the sales data and generate the quarterly summary..."},
    {"role": "user", "content": "Include YoY comparison charts"},
    {"role": "assistant", "content": "I'll add year-over-year comparison visualizations to the report..."}
  ],
  "memory_context": {
    "search_query": "report generation quarterly summary similar to pdf template",
    "relevant_entities": [
      {
        "name": "Q3 Sales Analysis Pattern",
        "similarity": 0.89,
        "observations": ["Standard quarterly reports include revenue trends, regional breakdowns, YoY comparisons"]
      },
      {
        "name": "PDF Report Template Preferences",
        "similarity": 0.85,
        "observations": ["Users prefer executive summary on page 1, detailed charts on page 2-3"]
      }
    ],
    "total_memory_entries_searched": 150,
    "entries_above_threshold": 12
  },
  "capability_context": {
    "related_capabilities": ["data-visualization", "chart-generation", "pdf-creation"],
    "capability_requirements": {
      "input_formats": ["json", "csv"],
      "output_formats": ["pdf"],
      "performance_sla": "< 30 seconds for standard reports"
    }
  },
  "available_tools": [
    {
      "name": "pdf_generator",
      "description": "Generate PDF reports with templating support",
      "context_data": {
        "available_templates": ["quarterly-summary", "executive-brief", "detailed-analysis"],
        "supported_chart_types": ["bar", "line", "pie", "trend"]
      }
    },
    {
      "name": "chart_creator",
      "description": "Create charts and visualizations",
      "context_data": {
        "recent_chart_preferences": ["YoY comparison bars", "regional pie charts"],
        "performance_data": "average generation time: 2.3s"
      }
    }
  ],
  "context_metadata": {
    "preparation_time_ms": 87,
    "total_context_tokens": 2847,
    "token_utilization_rate": 0.89,
    "context_sources_used": ["conversation", "memory", "tools", "capabilities"]
  }
}
"""
)


def load(tmp_path, text):
    """Read what a tool needs."""
    path = tmp_path / "tool.yaml"
    path.write_text(text)
    return load_context_requirements(path)


def sources():
    """Return the four sources of the document, with what its request context holds."""
    return [
        ContextSource.memory(REQUEST["memory_context"]["relevant_entities"]),
        ContextSource.capabilities(REQUEST["capability_context"]),
        ContextSource.tools(
            {
                "template_library": REQUEST["available_tools"][0]["context_data"],
                "user_style_preferences": REQUEST["available_tools"][1]["context_data"],
                "recent_generation_stats": "2.3 s on average",
            }
        ),
    ]


def asked():
    """Return the conversation of the document, with the request that ends it."""
    history = [ChatMessage(**message) for message in REQUEST["conversation_history"]]
    last = ChatMessage.user("Please generate the final PDF report now.")
    tool = ToolDefinition("pdf_generator", "Generate PDF reports.")
    system = ChatMessage.system("You are a report generation expert.")
    return CompletionRequest(messages=(system, *history, last), tools=(tool,))


def test_f159_data_analysis_tool_context_specification(tmp_path):
    """Depth, search, data and formats of the first example are read as they stand."""
    needs = load(tmp_path, DATA_ANALYSIS)
    assert (needs.name, needs.conversation_depth, needs.capability_context) == ("", 10, True)
    assert needs.memory_search == MemorySearch(
        query_template="data analysis {{request_type}} similar to {{user_request}}", max_results=15, min_similarity=0.7
    )
    assert needs.tool_data == ("user_preferences", "recent_analysis_results", "data_schema_cache")
    assert needs.provider_optimization == {
        "openai": ContextFormat(max_context_tokens=8000, data_in_tools=True),
        "anthropic": ContextFormat(max_context_tokens=12000, data_in_tools=True),
    }


def test_f127_f159_pdf_generator_tool_context_specification(tmp_path):
    """The second example: 6000 and 8000 tokens, and areas that come first."""
    needs = load(tmp_path, PDF_GENERATOR)
    assert (needs.name, needs.conversation_depth) == ("pdf_generator", 3)
    assert needs.memory_search.focus_areas == ("report_templates", "user_preferences", "formatting_standards")
    caps = [needs.format_for(name).max_context_tokens for name in ("openai", "anthropic", "ollama")]
    assert caps == [6000, 8000, None]


def test_f158_f159_the_files_drive_the_pipeline(tmp_path):
    """The tool's file, the request's history, memories and tools become one prompt, with the document's metadata."""
    needs = load(tmp_path, PDF_GENERATOR)
    variables = {"report_type": "quarterly", "business_context": "Q3 sales"}
    with Simulation():
        assembler = ContextAssembler(needs, sources=sources())
        context = assembler.assemble(asked(), provider="openai", variables=variables)
    assert context.query == "PDF report quarterly Q3 sales"
    assert context.request.messages[1].text == (
        "[Context]\nmemory:\n"
        "- Q3 Sales Analysis Pattern: Standard quarterly reports include revenue trends, regional breakdowns, YoY "
        "comparisons\n"
        "- PDF Report Template Preferences: Users prefer executive summary on page 1, detailed charts on page 2-3"
    )
    (tool,) = context.request.tools
    assert tool.description.startswith("Generate PDF reports.\n[Context] template_library: {")
    assert "regional pie charts" in tool.description
    data = context.as_dict()
    assert data["conversation_history"][:4] == REQUEST["conversation_history"]
    assert [entity["similarity"] for entity in data["memory_context"]["relevant_entities"]] == [0.89, 0.85]
    numbers = context.metadata
    assert numbers.preparation_time_ms == 0
    assert numbers.total_context_tokens == estimate_request_tokens(context.request)
    assert numbers.token_utilization_rate == numbers.total_context_tokens / 6000
    assert numbers.context_sources_used == ("conversation", "memory", "tool_data")


def test_f159_request_context_requirements():
    """What a request itself says of its context is read by its own words."""
    given = REQUEST["request_context"]
    needs = load_context_requirements({"context_requirements": given["context_requirements"]})
    assert needs.conversation_depth == 5
    assert needs.memory_search == MemorySearch(min_similarity=0.8)
    assert needs.tool_data == ("user_preferences", "report_templates")
    context = ContextAssembler(needs, sources=sources()).assemble(asked())
    assert [item.relevance for item in context.items] == [0.89, 0.85]
    assert context.missing == needs.tool_data


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama"])
def test_f158_provider_specific_context_formatting(tmp_path, provider):
    """One request serves every API: each writes prompts and tools as its own, and the model reads the same facts."""
    needs = load(tmp_path, PDF_GENERATOR)
    variables = {"report_type": "quarterly", "business_context": "Q3 sales"}
    with Simulation() as sim:
        handle = getattr(sim, provider).replies("Done.")
        context = ContextAssembler(needs, sources=sources()).assemble(asked(), provider=provider, variables=variables)
        handle.as_provider("m").complete(context.request)
        (seen,) = handle.requests
    said = " ".join([*(message.text for message in seen.request.messages), seen.request.tools[0].description])
    assert "Users prefer executive summary on page 1" in said
    assert "quarterly-summary" in said


def test_f158_automatic_context_trimming(tmp_path):
    """Under a small budget prompts and the current request stay, recent turns come next, memories go."""
    needs = load_context_requirements(
        {
            "context_requirements": {
                "memory_search": {"max_results": 5},
                "provider_optimization": {"openai": {"max_context_tokens": 60}},
            }
        }
    )
    assembler = ContextAssembler(needs, sources=sources())
    context = assembler.assemble(asked(), provider="openai")
    assert [message.role for message in context.request.messages] == ["system", "user"]
    assert (context.turns_left_out, {out.cause for out in context.left_out}) == (2, {"no_room"})
    with pytest.raises(ContextLengthExceededError, match="the context of `openai` may have 60"):
        assembler.assemble(CompletionRequest.ask("word " * 60), provider="openai")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("context_requirements:\n  memory_serch: {}\n", "tool.yaml:2: unknown key `memory_serch`"),
        ("context_requirements:\n  conversation_depth: -1\n", "tool.yaml:2: "),
        (
            "context_requirements:\n  provider_optimization:\n    openai: {max_context_tokens: 0}\n",
            "openai.max_context_tokens`: `0` is below 1",
        ),
        ("context_requirements:\n  provider_optimization:\n    openai: {layout: table}\n", "unknown layout `table`"),
        ("name: pdf\n", "`context_requirements` is missing"),
        ("context_requirements: [10]\n", "must be a mapping"),
        (
            "context_requirements:\n  tool_data: [a]\n  tool_context_sources: [b]\n",
            "takes `tool_data` or `tool_context_sources`, not both",
        ),
        (
            "context_requirements:\n  memory_search: {}\n  memory_similarity_threshold: 0.5\n",
            "takes `memory_search` or `memory_similarity_threshold`, not both",
        ),
    ],
)
def test_f159_a_file_that_is_wrong_is_told_with_its_line(tmp_path, text, message):
    """What nobody knows is an error that points at its place."""
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
