"""The words of the APIs: names of their fields and settings, which say nothing of a content."""

from __future__ import annotations

from typing import Final

from ollamatrace.records import PARENT

SETTINGS: Final = frozenset(
    {
        "accepted_prediction_tokens",
        "audio_tokens",
        "cached_tokens",
        "completion_tokens",
        "created",
        "dimensions",
        "done",
        "done_reason",
        "effort",
        "encoding_format",
        "eval_count",
        "eval_duration",
        "finish_reason",
        "frequency_penalty",
        "include_usage",
        "index",
        "input_tokens",
        "keep_alive",
        "load_duration",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "min_p",
        "model",
        "n",
        "num_ctx",
        "num_predict",
        "object",
        "output_tokens",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_eval_count",
        "prompt_eval_duration",
        "prompt_tokens",
        "raw",
        "reasoning_effort",
        "reasoning_tokens",
        "rejected_prediction_tokens",
        "repeat_penalty",
        "role",
        "seed",
        "service_tier",
        "status",
        "store",
        "stream",
        "system_fingerprint",
        "temperature",
        "think",
        "top_k",
        "top_logprobs",
        "top_p",
        "total_duration",
        "total_tokens",
        "truncate",
        "type",
    }
)
"""Fields that set something or count: what they hold may be recorded without a content."""

CONTAINERS: Final = frozenset(
    {
        "annotations",
        "arguments",
        "audio",
        "choices",
        "completion_tokens_details",
        "content",
        "data",
        "delta",
        "description",
        "embedding",
        "embeddings",
        "error",
        "extra_body",
        "file",
        "format",
        "function",
        "function_call",
        "id",
        "image_url",
        "images",
        "input",
        "input_tokens_details",
        "instructions",
        "item",
        "json_schema",
        "logit_bias",
        "logprobs",
        "message",
        "messages",
        "metadata",
        "name",
        "options",
        "output",
        "output_tokens_details",
        "parameters",
        "prompt",
        "prompt_tokens_details",
        "reasoning",
        "reasoning_content",
        "refusal",
        "response",
        "response_format",
        "schema",
        "stop",
        "stream_options",
        "suffix",
        "summary",
        "system",
        "template",
        "text",
        "thinking",
        "tool_call_id",
        "tool_calls",
        "tool_choice",
        "tools",
        "url",
        "usage",
        "user",
    }
)
"""Fields that hold a content, or others that do."""

FIELDS: Final = SETTINGS | CONTAINERS

ATTRIBUTES: Final = frozenset(
    {
        "exception.type",
        "finish_reason",
        "http.request.method",
        "model_asked",
        PARENT,
        "server.address",
    }
)
"""Attributes of ours whose texts are no content."""

KEYS: Final = (
    FIELDS
    | ATTRIBUTES
    | {
        "exception.message",
        "exception.stacktrace",
        "http.response.status_code",
        "return_value",
        "server.port",
        "url.path",
        "value",
    }
)
"""What rules are not asked about where it is a key."""

WORDS: Final = frozenset(
    {
        "AGENT",
        "CHAIN",
        "CHAT_MODEL",
        "EMBEDDING",
        "LLM",
        "RETRIEVER",
        "TOOL",
        "UNKNOWN",
        "assistant",
        "developer",
        "function",
        "image_url",
        "input_text",
        "length",
        "message",
        "output_text",
        "stop",
        "system",
        "text",
        "tool",
        "tool_calls",
        "user",
    }
)
"""What rules are not asked about where it is the whole text: kinds, roles, types, reasons."""
