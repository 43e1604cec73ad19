"""What to ask of endpoints that are traced by their address, and what is answered there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

WAV = b"RIFF$\0\0\0WAVEfmt "
PNG = b"\x89PNG\r\n\x1a\n"
MESSAGES = [{"role": "user", "content": "Hi"}]
COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hello"},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m-1",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
}
RUN = {"id": "run_1", "object": "thread.run", "status": "queued", "thread_id": "t", "model": "m-1"}
VIDEO = {"id": "video_1", "object": "video", "status": "queued", "model": "sora-2"}
IMAGES = {"created": 1, "data": [{"b64_json": "AAAA"}], "usage": {"input_tokens": 4}}


@dataclass(frozen=True)
class Ask:
    """A call of a path-traced method.

    Attributes:
        name: The name of the span, without `Async`.
        kind: Its kind.
        path: The address in the table.
        given: The arguments.
        reply: What the server answers.
        outputs: What of it is in the record; the reply itself if it is JSON.
    """

    name: str
    kind: str
    path: str
    given: dict[str, Any]
    reply: Any
    outputs: Any = field(default=...)

    @property
    def expected(self):
        return self.reply if self.outputs is ... else self.outputs


def _text(text):
    return {"content": text, "headers": {"content-type": "text/plain"}}


_FILE = ("speech.wav", WAV)
_SESSION = {"environment": {"type": "container"}, "agent": {"id": "a"}}

BY_PATH = {
    "beta.chat.completions.create": Ask(
        "Completions",
        "CHAT_MODEL",
        "/chat/completions",
        {"model": "m", "messages": MESSAGES, "temperature": 0},
        COMPLETION,
    ),
    "beta.chat.completions.parse": Ask(
        "Completions",
        "CHAT_MODEL",
        "/chat/completions",
        {"model": "m", "messages": MESSAGES},
        COMPLETION,
    ),
    "beta.responses.create": Ask(
        "Responses", "CHAT_MODEL", "/responses", {"model": "m", "input": "Hi"}, RESPONSE
    ),
    "beta.responses.compact": Ask(
        "Responses",
        "LLM",
        "/responses/compact",
        {"model": "m", "input": "Hi"},
        {"id": "r", "object": "response.compaction", "created_at": 1, "output": []},
    ),
    "beta.responses.retrieve": Ask(
        "Responses", "TASK", "GET /responses/{}", {"response_id": "r"}, RESPONSE
    ),
    "responses.compact": Ask(
        "Responses",
        "LLM",
        "/responses/compact",
        {"model": "m", "input": "Hi"},
        {"id": "r", "object": "response.compaction", "created_at": 1, "output": []},
    ),
    "images.generate": Ask(
        "Images", "LLM", "/images/generations", {"prompt": "A cat", "model": "dall"}, IMAGES
    ),
    "images.edit": Ask(
        "Images",
        "LLM",
        "/images/edits",
        {"image": ("cat.png", PNG), "prompt": "A dog", "model": "dall"},
        IMAGES,
    ),
    "images.create_variation": Ask(
        "Images",
        "LLM",
        "/images/variations",
        {"image": ("cat.png", PNG), "model": "dall"},
        IMAGES,
    ),
    "audio.speech.create": Ask(
        "Speech",
        "LLM",
        "/audio/speech",
        {"model": "tts", "input": "Hello", "voice": "alloy"},
        {"content": b"ID3\xff\xfb", "headers": {"content-type": "audio/mpeg"}},
        {"content_type": "audio/mpeg", "content": "SUQz//s="},
    ),
    "audio.transcriptions.create": Ask(
        "Transcriptions",
        "LLM",
        "/audio/transcriptions",
        {"model": "whisper", "file": _FILE, "language": "en"},
        {"text": "Hello", "usage": {"type": "tokens", "input_tokens": 7, "output_tokens": 2}},
    ),
    "audio.translations.create": Ask(
        "Translations",
        "LLM",
        "/audio/translations",
        {"model": "whisper", "file": _FILE, "response_format": "text"},
        _text(b"Hello"),
        "Hello",
    ),
    "moderations.create": Ask(
        "Moderations",
        "GUARDRAIL",
        "/moderations",
        {"input": "I am nice", "model": "mod"},
        {"id": "m", "model": "mod-1", "results": [{"flagged": False}]},
    ),
    "decisions.create": Ask(
        "Decisions",
        "LLM",
        "/decisions",
        {"model": "m", "input": "Hi", "questions": [{"type": "boolean", "question": "Polite?"}]},
        {"id": "d", "object": "decision", "model": "m-1"},
    ),
    "videos.create": Ask("Videos", "LLM", "/videos", {"prompt": "A cat", "model": "sora-2"}, VIDEO),
    "videos.edit": Ask(
        "Videos", "LLM", "/videos/edits", {"prompt": "A dog", "video": ("cat.mp4", PNG)}, VIDEO
    ),
    "videos.extend": Ask(
        "Videos",
        "LLM",
        "/videos/extensions",
        {"prompt": "More", "seconds": "4", "video": ("cat.mp4", PNG)},
        VIDEO,
    ),
    "videos.remix": Ask(
        "Videos", "LLM", "/videos/{}/remix", {"video_id": "v", "prompt": "A dog"}, VIDEO
    ),
    "fine_tuning.alpha.graders.run": Ask(
        "Graders",
        "EVALUATOR",
        "/fine_tuning/alpha/graders/run",
        {"grader": {"type": "string_check", "name": "g"}, "model_sample": "Paris"},
        {"reward": 1.0, "sub_rewards": {}},
    ),
    "vector_stores.search": Ask(
        "VectorStores",
        "RETRIEVER",
        "/vector_stores/{}/search",
        {"vector_store_id": "vs", "query": "sky", "max_num_results": 2},
        {"object": "list", "data": [{"file_id": "f", "score": 0.5}], "has_more": False},
    ),
    "beta.threads.create_and_run": Ask(
        "Runs",
        "AGENT",
        "/threads/runs",
        {"assistant_id": "a", "thread": {"messages": MESSAGES}},
        RUN,
    ),
    "beta.threads.runs.create": Ask(
        "Runs",
        "AGENT",
        "/threads/{}/runs",
        {"thread_id": "t", "assistant_id": "a", "instructions": "Be nice"},
        RUN,
    ),
    "beta.threads.runs.submit_tool_outputs": Ask(
        "Runs",
        "AGENT",
        "/threads/{}/runs/{}/submit_tool_outputs",
        {
            "thread_id": "t",
            "run_id": "r",
            "tool_outputs": [{"tool_call_id": "c", "output": "Sunny"}],
        },
        RUN,
    ),
    "beta.agents.sessions.create": Ask(
        "Sessions", "AGENT", "/agents/sessions", _SESSION, {"id": "s", "object": "agent.session"}
    ),
    "beta.agents.sessions.events.create": Ask(
        "Sessions",
        "AGENT",
        "/agents/sessions/{}/events",
        {"session_id": "s", "events": [{"type": "input_text", "text": "Hi"}]},
        {"content": b"", "status_code": 204},
        None,
    ),
}
