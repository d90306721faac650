"""Writes a model file that llama.cpp runs: a llama of two layers with random
weights. What it says is noise, but it is real inference: real tokens, a real
tokenizer, real stop conditions, in a file of less than a megabyte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

WIDTH = 64
FEED_FORWARD = 128
LAYERS = 2
HEADS = 4
CONTEXT_LENGTH = 2048
SEED = 20261121

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,?!"
# The tokenizer writes a space as this sign.
SPACE = "\u2581"

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n"
    "{% endfor %}assistant:"
)


def vocabulary() -> tuple[list[bytes], list[TokenType], list[float]]:
    """Control tokens, every byte, and letters, so that any text has tokens."""
    rows = [
        (b"<unk>", TokenType.UNKNOWN),
        (b"<s>", TokenType.CONTROL),
        (b"</s>", TokenType.CONTROL),
        *((b"<0x%02X>" % byte, TokenType.BYTE) for byte in range(256)),
        *((sign.encode(), TokenType.NORMAL) for sign in SPACE + LETTERS),
    ]
    tokens, types = zip(*rows)
    return list(tokens), list(types), [-float(i) for i in range(len(rows))]


def write(path: Path) -> None:
    """Writes the model file; the same bytes every time."""
    random = np.random.default_rng(SEED)
    tokens, types, scores = vocabulary()

    w = GGUFWriter(str(path), "llama")
    w.add_name("tiny")
    w.add_context_length(CONTEXT_LENGTH)
    w.add_embedding_length(WIDTH)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(FEED_FORWARD)
    w.add_head_count(HEADS)
    w.add_head_count_kv(HEADS)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(WIDTH // HEADS)
    w.add_vocab_size(len(tokens))
    w.add_tokenizer_model("llama")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_scores(scores)
    w.add_unk_token_id(0)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_chat_template(CHAT_TEMPLATE)

    def matrix(name: str, rows: int, columns: int) -> None:
        w.add_tensor(f"{name}.weight", random.normal(0, 0.5, (rows, columns)).astype(np.float32))

    def ones(name: str) -> None:
        w.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))

    matrix("token_embd", len(tokens), WIDTH)
    ones("output_norm")
    matrix("output", len(tokens), WIDTH)
    for layer in range(LAYERS):
        ones(f"blk.{layer}.attn_norm")
        ones(f"blk.{layer}.ffn_norm")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{name}", WIDTH, WIDTH)
        matrix(f"blk.{layer}.ffn_gate", FEED_FORWARD, WIDTH)
        matrix(f"blk.{layer}.ffn_up", FEED_FORWARD, WIDTH)
        matrix(f"blk.{layer}.ffn_down", WIDTH, FEED_FORWARD)

    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
