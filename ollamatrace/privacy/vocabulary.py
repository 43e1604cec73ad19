"""The words of the APIs: names and values of their fields, which say nothing of a content."""

from __future__ import annotations

from typing import Final

from ollamatrace.records import PARENT


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NUMBERS: Final = _words("""
    accepted_prediction_tokens audio_tokens cached_tokens completion_tokens created dimensions done
    eval_count eval_duration frequency_penalty include_usage index input_tokens keep_alive
    load_duration logprobs max_completion_tokens max_output_tokens max_tokens min_p n num_ctx
    num_predict output_tokens parallel_tool_calls presence_penalty prompt_eval_count
    prompt_eval_duration prompt_tokens raw reasoning_tokens rejected_prediction_tokens
    repeat_penalty seed store stream temperature think top_k top_logprobs top_p total_duration
    total_tokens truncate
""")
"""Fields that set something or count: a number or a yes or no there is no content."""

NAMED: Final = _words("""
    done_reason effort encoding_format finish_reason object reasoning_effort role service_tier
    status tool_choice type
""")
"""Fields that hold one of a few words."""

WORDS: Final = _words("""
    AGENT CHAIN CHAT_MODEL EMBEDDING LLM RETRIEVER TOOL UNKNOWN
    assistant auto base64 chat.completion chat.completion.chunk completed content_filter default
    developer embedding failed file flex float function function_call function_call_output high
    image_url in_progress incomplete input_audio input_image input_text json_object json_schema
    length list load low max_tokens medium message minimal model none object output_text priority
    reasoning reasoning_text refusal required response stop summary_text system text
    text_completion tool tool_calls unload user xhigh
""")
"""Kinds, roles, types and reasons: as a whole text they are nothing but that."""

CONTAINERS: Final = _words("""
    choices completion_tokens_details content data delta error extra_body function function_call
    image_url input input_audio input_tokens_details item message messages options output
    output_tokens_details prompt_tokens_details response_format stream_options tool_calls tools
    usage
""")
"""Fields that hold others."""

TEXTS: Final = _words("""
    annotations arguments audio context description embedding embeddings file format id images
    instructions json_schema logit_bias metadata model name parameters prompt reasoning
    reasoning_content refusal response schema stop suffix summary system system_fingerprint
    template text thinking tool_call_id url user
""")
"""Fields that hold a content, whatever its shape."""

FIELDS: Final = NUMBERS | NAMED | CONTAINERS | TEXTS

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
