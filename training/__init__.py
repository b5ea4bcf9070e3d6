"""Data, finetuning and evaluation."""
