#!/usr/bin/env python3
"""Makes the files of this folder: a sentence encoder of BERT's structure with random
weights, a tokenizer of a few hundred tokens, and what Hugging Face's libraries make of
texts with them. Nothing in it was learned from anything, so nobody has rights in it.

    pip install torch==2.15.0 transformers==5.24.0 tokenizers==0.23.2 safetensors
    python make.py
"""

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

HERE = Path(__file__).resolve().parent
MAX_TOKENS = 24

WORDS = (
    "the soup bread salt butter goal match team score road coach oven don no and a of is in it to "
    "you have won money free meet ##ing ##s ##ed ##er un ##known hello world cafe uber na ##ive"
).split()
MARKS = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
LETTERS = list("abcdefghijklmnopqrstuvwxyz0123456789") + ["東", "京", "п", "р", "и", "в", "е", "т", "—", "…"]

TEXTS = [
    "The soup, the bread and salt. Don't! No 7",
    "Hello, world!",
    "",
    " \t\n ",
    "CAFÉ naïve Über unknown",
    "cafe\u0301 na\u0131ve",
    "東京 is in 日本",
    "привет",
    "a\u0000b\ufffdc\u200bd\u00ade",
    "e-mail: you@have.won — free…",
    "[CLS] goal [SEP] match[MASK]team [UNK]",
    "[cls] [Sep]",
    "x" * 101 + " " + "y" * 100,
    "the " * 60,
    "🙂 ok 🙂",
    "½ ﬁ Å Ω ǅ İ ß",
    "a\u00a0b\u3000c\u2028d",
    "team's match-team_score",
    "wins losses unknowns heller",
    "न मस्ते ไทย 한국어",
]


def tokenizer():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS + MARKS + LETTERS
    pieces += ["##" + letter for letter in LETTERS]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    added = [
        {"id": vocabulary[t], "content": t, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for t in special
    ]
    token = lambda name: {"SpecialToken": {"id": name, "type_id": 0}}
    text = lambda name, kind: {"Sequence": {"id": name, "type_id": kind}}
    described = lambda name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]}
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": None,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token("[CLS]"), text("A", 0), token("[SEP]")],
            "pair": [token("[CLS]"), text("A", 0), token("[SEP]"), text("B", 1), token("[SEP]")],
            "special_tokens": {name: described(name) for name in ("[CLS]", "[SEP]")},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    }


def main():
    described = tokenizer()
    (HERE / "tokenizer.json").write_text(json.dumps(described, ensure_ascii=False, indent=0) + "\n")
    torch.manual_seed(6)
    config = BertConfig(
        vocab_size=len(described["model"]["vocab"]), hidden_size=24, num_hidden_layers=2,
        num_attention_heads=3, intermediate_size=48, max_position_embeddings=32,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    # Far from what training begins with, so that every part of it counts.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = 0.3 if weight.dim() == 2 else 0.1
            weight.add_(torch.randn_like(weight) * scale)
    scratch = HERE / "scratch"
    model.save_pretrained(scratch)
    for file in ("config.json", "model.safetensors"):
        shutil.move(scratch / file, HERE / file)
    shutil.rmtree(scratch)

    reference = Tokenizer.from_str(json.dumps(described))
    reference.no_padding()
    reference.enable_truncation(MAX_TOKENS)
    expected = []
    for text in TEXTS:
        encoding = reference.encode(text)
        ids = torch.tensor([encoding.ids])
        with torch.no_grad():
            rows = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        mean = torch.nn.functional.normalize(rows.mean(0), dim=0)
        first = torch.nn.functional.normalize(rows[0], dim=0)
        expected.append({
            "text": text, "ids": encoding.ids, "cut": bool(encoding.overflowing),
            "mean": [float(f"{value:.8g}") for value in mean.tolist()],
            "first": [float(f"{value:.8g}") for value in first.tolist()],
        })
    lines = ",\n".join(json.dumps(one, ensure_ascii=True) for one in expected)
    (HERE / "expected.json").write_text(f'{{"max_tokens": {MAX_TOKENS}, "texts": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
