from agents import set_trace_processors

from ollamatrace.frameworks.agents import TraceProcessor

set_trace_processors([TraceProcessor()])  # once; no more are sent to OpenAI
print(Runner.run_sync(agent, "Why is the sky blue?").final_output)
