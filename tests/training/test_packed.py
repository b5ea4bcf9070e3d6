"""Packed lessons: what is taught where, and the same sums as prompt by prompt."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from training import tree_attention
from training.objective import supervised
from training.packed import Lesson, Lessons, Packed, Packer
from training.tree_layout import Masked, Stretch, padded
from wraner.chat import EncodedPrompt
from wraner.view import View

END = 0


def packer(view: View, shown_weight: float = 0.0) -> Packer:
    return Packer(
        view,
        shown_weight=shown_weight,
        end_of_turn=END,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )


def lesson(prefix: Sequence[int], seed: int, examples: int = 2) -> Lesson:
    drawn = torch.Generator().manual_seed(seed)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(1, 60, (count,), generator=drawn).tolist())

    shown = tuple(ids(5 + i) for i in range(examples))
    prompt = EncodedPrompt(tuple(prefix), shown, ids(4))
    return Lesson(prompt, (*ids(3), END), tuple(2 for _ in shown))


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=None,
        eos_token_id=END,
    )
    config._attn_implementation = tree_attention.NAME
    return LlamaForCausalLM(config).eval()


def logits(model: LlamaForCausalLM, run: Packed) -> torch.Tensor:
    return model(
        input_ids=run.ids,
        position_ids=run.positions,
        attention_mask=torch.empty(1, 1, 1, 1),
        use_cache=False,
        logits_to_keep=run.kept,
        stretches=run.stretches,
    ).logits[0]


def plain_logits(model: LlamaForCausalLM, member: Lesson) -> torch.Tensor:
    """Return what an ordinary causal run says at the answer's tokens."""
    ids = torch.tensor([[*member.prompt.ids, *member.answer[:-1]]])
    model.config._attn_implementation = "eager"
    try:
        out = model(input_ids=ids, use_cache=False).logits[0]
    finally:
        model.config._attn_implementation = tree_attention.NAME
    return out[len(member.prompt.ids) - 1 :]


def test_in_sequence_a_packed_run_says_what_each_prompt_says_alone(model: LlamaForCausalLM) -> None:
    groups = [
        Lessons((lesson((9, 8, 7), 1), lesson((9, 8, 7), 2))),
        Lessons((lesson((5, 4), 3, examples=0),)),
    ]
    run = packer(View.SEQUENCE).pack(groups)
    expected = torch.cat([plain_logits(model, m) for g in groups for m in g.members])
    torch.testing.assert_close(logits(model, run), expected, rtol=1e-4, atol=1e-5)
    answers = [i for g in groups for m in g.members for i in m.answer]
    assert run.targets.tolist() == answers


@pytest.mark.parametrize("view", list(View))
def test_a_lesson_is_worth_the_same_alone_and_in_company(
    model: LlamaForCausalLM, view: View
) -> None:
    members = (lesson((9, 8, 7), 1, examples=3), lesson((9, 8, 7), 2, examples=3))
    pack = packer(view, shown_weight=0.5).pack
    both = pack([Lessons(members)])
    alone = [pack([Lessons((m,))]) for m in members]
    with torch.no_grad():
        total = sum(float(supervised(logits(model, run), run)) for run in alone)
        assert float(supervised(logits(model, both), both)) == pytest.approx(total, rel=1e-5)


def test_the_view_decides_what_an_example_sees() -> None:
    member = lesson((9, 8, 7), 1, examples=3)  # of 5, 6 and 7 tokens
    masks = {view: packer(view).pack([Lessons((member,))]).stretches[1].mask for view in View}
    seen = {view: mask == 0 for view, mask in masks.items()}
    second, nearest, query = 5, 11, 18  # rows where they begin; columns begin behind the prefix
    assert seen[View.SEQUENCE][second, :9].all()
    assert not seen[View.NEAREST][second, 3:8].any()
    assert seen[View.NEAREST][nearest, :15].all()
    assert not seen[View.BESIDE][nearest, 3:14].any()
    for view in View:
        assert seen[view][:, :3].all(), "all see the instruction"
        assert seen[view][query, : 3 + query + 1].all(), "the question sees all before it"
        assert not seen[view][query, 3 + query + 1 :].any()


def test_answers_among_the_examples_are_taught_with_their_end() -> None:
    member = lesson((9, 8, 7), 1, examples=2)
    run = packer(View.BESIDE, shown_weight=0.25).pack([Lessons((member,))])
    taught = [
        ([*e[-n:], END], 0.25)
        for e, n in zip(member.prompt.examples, member.shown_answers, strict=True)
    ] + [(list(member.answer), 1.0)]
    assert run.targets.tolist() == [i for ids, _ in taught for i in ids]
    assert run.weights.tolist() == [w for ids, w in taught for _ in ids]
    behind = run.ids[0][run.kept + 1 - (run.kept + 1 == run.ids.shape[1]).long()].tolist()
    for number, (target, follows) in enumerate(zip(run.targets.tolist(), behind, strict=True)):
        assert target in (follows, END), f"taught token {number}"


@pytest.mark.parametrize("view", list(View))
def test_padded_for_an_accelerator_a_run_teaches_the_same(
    model: LlamaForCausalLM, view: View
) -> None:
    groups = [
        Lessons((lesson((9, 8, 7), 1), lesson((9, 8, 7), 2, examples=6), lesson((9, 8, 7), 3, 0))),
        Lessons((lesson(range(1, 41), 4),)),
    ]
    run = packer(view, shown_weight=0.5).pack(groups)
    ends = accumulate(s.tokens for s in run.stretches)
    stretches = [
        Stretch(end - s.tokens, end, s.seen, tuple(_first_own(s).tolist()))
        for s, end in zip(run.stretches, ends, strict=True)
    ]
    wide = replace(run, stretches=padded(stretches, torch.float32, torch.device("cpu")))
    assert len(wide.stretches.buckets) > 1
    gradients = []
    for one in (run, wide):
        model.zero_grad()
        supervised(logits(model, one), one).backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    with torch.no_grad():
        torch.testing.assert_close(logits(model, wide), logits(model, run), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def _first_own(stretch: Masked) -> torch.Tensor:
    """Return the first of its own columns that each of a stretch's tokens sees."""
    return (stretch.mask[:, stretch.seen[1] - stretch.seen[0] :] == 0).int().argmax(dim=1)
