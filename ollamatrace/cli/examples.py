"""What the help of each command ends with."""

from __future__ import annotations

from typing import Final

# Plain help, and examples that keep their lines: click breaks no paragraph that begins with \b.
EXAMPLES: Final = {
    "ollamatrace": (
        "\b\nExamples:\n"
        "  ollamatrace demo            make a first trace\n"
        "  ollamatrace ls              list what is in the store\n"
        "  ollamatrace show 4f1c2a9b   look at one trace\n"
        "  ollamatrace doctor          find out why traces do not arrive\n"
    ),
    "demo": (
        "\b\nExamples:\n"
        "  ollamatrace demo\n"
        "  ollamatrace demo --model llama3.2:1b\n"
        "  ollamatrace demo --recorded --store /tmp/demo.db\n"
        "  ollamatrace demo --store demo.db --server http://localhost:5000 \\\n"
        "      --server otlp+http://localhost:6006\n"
        "  ollamatrace demo --recorded --json > trace.jsonl\n"
    ),
    "ls": (
        "\b\nExamples:\n"
        "  ollamatrace ls\n"
        "  ollamatrace ls --status ERROR --since 2h\n"
        "  ollamatrace ls -t weather --model llama3.2:1b --limit 5\n"
        "  ollamatrace ls --json | jq .name\n"
    ),
    "prune": (
        "\b\nExamples:\n"
        "  ollamatrace prune --older-than 30d --dry-run\n"
        "  ollamatrace prune --max-size 500MB\n"
        "  ollamatrace prune --keep 1000\n"
    ),
    "rm": (
        "\b\nExamples:\n"
        "  ollamatrace rm 4f1c2a9b\n"
        "  ollamatrace rm --session chat-7 --yes\n"
        "  ollamatrace rm --all\n"
    ),
    "show": (
        "\b\nExamples:\n"
        "  ollamatrace show 4f1c2a9b\n"
        "  ollamatrace show tr-4f1c2a9b5d6e7f8091a2b3c4d5e6f708\n"
        "  ollamatrace show 4f1c2a9b --json | jq .outputs\n"
    ),
    "export": (
        "\b\nExamples:\n"
        "  ollamatrace export > traces.jsonl\n"
        "  ollamatrace export --status ERROR --since 1d -o errors.jsonl\n"
        "  ollamatrace export 4f1c2a9b | jq .outputs\n"
    ),
    "forward": (
        "\b\nExamples:\n"
        "  ollamatrace forward\n"
        "  ollamatrace forward --server http://localhost:5000 --timeout 10\n"
        "  ollamatrace forward --store traces.db --server http://localhost:5000\n"
    ),
    "doctor": (
        "\b\nExamples:\n"
        "  ollamatrace doctor\n"
        "  ollamatrace doctor --server http://localhost:5000 --send\n"
        "  ollamatrace doctor --json | jq '.findings[] | select(.level != \"ok\")'\n"
    ),
    "privacy-scan": (
        "\b\nExamples:\n"
        "  ollamatrace privacy-scan\n"
        "  ollamatrace privacy-scan --rule email --rule key --store traces.db\n"
        "  ollamatrace privacy-scan --pattern 'CUST-[0-9]{6}' --json\n"
        "  ollamatrace privacy-scan --text-file names.txt && echo clean\n"
    ),
}
