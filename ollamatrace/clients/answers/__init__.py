"""Reading answers: merging streams, finding tokens, model and finish reason. No I/O."""

from ollamatrace.clients.answers.answer import Answer, Channel, Facts, Merger
from ollamatrace.clients.answers.chat import ChatAnswer
from ollamatrace.clients.answers.completion import CompletionAnswer
from ollamatrace.clients.answers.embedding import EmbeddingAnswer
from ollamatrace.clients.answers.ollama import OllamaAnswer
from ollamatrace.clients.answers.other import OtherAnswer, ProgressAnswer
from ollamatrace.clients.answers.reading import read_answer
from ollamatrace.clients.answers.responses import ResponsesAnswer, RetrievedAnswer

__all__ = [
    "Answer",
    "Channel",
    "ChatAnswer",
    "CompletionAnswer",
    "EmbeddingAnswer",
    "Facts",
    "Merger",
    "OllamaAnswer",
    "OtherAnswer",
    "ProgressAnswer",
    "ResponsesAnswer",
    "RetrievedAnswer",
    "read_answer",
]
