"""GLiNER with random weights: how fast its architecture tags, not how well.

Run with an interpreter that has gliner; `asking` says how it is asked. Nothing is downloaded: the
backbone is BERT of base size, made from a configuration, its tokenizer a folder given by path.
"""

import argparse
import time

import gliner
import torch
from gliner import GLiNER
from transformers import BertConfig

from benchmarks.rivals.asking import in_batches, serve

THRESHOLD = 0.99  # random weights would otherwise name spans everywhere


def main() -> None:
    """Build the model and answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer")
    parser.add_argument("--threads", type=int, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    model = GLiNER.from_config(
        {
            "model_name": asked.tokenizer,
            "encoder_config": BertConfig().to_dict(),
            "max_len": 384,
        },
        backbone_from_pretrained=False,
    ).eval()
    millions = sum(p.numel() for p in model.parameters()) / 1e6

    def tag(texts: list[str], labels: list[str], at_once: int) -> list[float]:
        took = []
        for batch in in_batches(texts, at_once):
            began = time.perf_counter()
            model.inference(batch, labels, threshold=THRESHOLD, batch_size=at_once)
            took.append(time.perf_counter() - began)
        return took

    about = f"gliner {gliner.__version__}, {millions:.0f} million random parameters"
    serve({"tag": tag, "about": lambda: about})


if __name__ == "__main__":
    main()
