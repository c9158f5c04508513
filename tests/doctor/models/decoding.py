"""M17, M18: decoders that forget, decoders that see the future."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import unrolled.nn

from .case import pair
from .example_inputs import begun, floats, ids

# ---- M17: the decoder's state is not fed back between steps


@pair("M17", "encoder-decoder", "lstm", "decoder", lambda: (ids(3, 6, 13), begun(3, 6, 12)))
class ForgetfulTranslator(nn.Module):
    """Every step starts from the encoder's states."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src, self.tgt = nn.Embedding(13, 5), nn.Embedding(12, 5)
        self.encoder = nn.LSTM(5, 7, batch_first=True)
        self.decoder = nn.LSTM(5, 7, batch_first=True)
        self.out = nn.Linear(7, 12)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        _, state = self.encoder(self.src(source))
        steps = []
        for t in range(target.size(1)):
            output, new_state = self.decoder(self.tgt(target[:, t : t + 1]), state)
            if self.right:
                state = new_state
            steps.append(self.out(output))
        return torch.cat(steps, dim=1)


@pair("M17", "captioner", "gru", "cell", lambda: (torch.randn(4, 6), begun(4, 5, 11)))
class ForgetfulCaptioner(nn.Module):
    """A cell whose new state gets another name."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.start = nn.Linear(6, 8)
        self.embed = nn.Embedding(11, 5)
        self.cell = nn.GRUCell(5, 8)
        self.fc = nn.Linear(8, 11)

    def forward(self, features: Tensor, caption: Tensor) -> Tensor:
        hidden = torch.tanh(self.start(features))
        scores = features.new_zeros(*caption.shape, 11)
        for t, symbols in enumerate(caption.t()):
            new_hidden = self.cell(self.embed(symbols), hidden)
            scores[:, t] = self.fc(new_hidden)
            if self.right:
                hidden = new_hidden
        return scores


@pair(
    "M17",
    "online predictor",
    "rnn",
    "rnn",
    lambda: (floats(3, 7, 4),),
    also={"M09": "the layer is given one step at a time and keeps nothing of it"},
)
class ForgetfulPredictor(nn.Module):
    """The loop calls the layer for each step and lets its state go."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.rnn = nn.RNN(4, 6, num_layers=2)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = None
        predictions = []
        for step in x.unbind(1):
            output, h_n = self.rnn(step.unsqueeze(0), hidden)
            if self.right:
                hidden = h_n
            predictions.append(self.fc(output[0]))
        return torch.stack(predictions, 1), h_n


# ---- M18: a bidirectional layer where the future is to be predicted. A tagger may be
# bidirectional, so what is to be predicted has to be given: the same sequence a step later.


def next_symbols(batch: int, steps: int, vocab: int) -> dict[str, Tensor]:
    drawn = ids(batch, steps, vocab)
    return {"target": torch.cat([drawn[:, 1:], torch.full((batch, 1), 2)], 1)}


def next_steps(batch: int, steps: int, size: int) -> dict[str, Tensor]:
    drawn = floats(batch, steps, size)
    return {"target": torch.cat([drawn[:, 1:], drawn[:, -1:]], 1)}


@pair(
    "M18",
    "language model",
    "lstm",
    "lstm",
    lambda: (ids(3, 8, 16),),
    hints=lambda: next_symbols(3, 8, 16),
)
class SeeingLanguageModel(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(16, 6)
        self.lstm = nn.LSTM(6, 8, num_layers=2, bidirectional=not right, batch_first=True)
        self.out = nn.Linear(8 if right else 16, 16)

    def forward(self, text: Tensor) -> Tensor:
        return self.out(self.lstm(self.embed(text))[0])


@pair(
    "M18",
    "online predictor",
    "gru",
    "gru",
    lambda: (floats(4, 7, 2),),
    hints=lambda: next_steps(4, 7, 2),
)
class SeeingPredictor(nn.Module):
    """One forecast a step, time-major inside."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(2, 5, bidirectional=not right)
        self.head = nn.Sequential(nn.Linear(5 if right else 10, 6), nn.ReLU(), nn.Linear(6, 2))

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.gru(x.transpose(0, 1))
        return self.head(output).transpose(0, 1)


def next_target(batch: int, source_steps: int, target_steps: int, vocab: int) -> dict[str, Tensor]:
    ids(batch, source_steps, vocab)
    drawn = begun(batch, target_steps, vocab)
    return {"target": torch.cat([drawn[:, 1:], torch.full((batch, 1), 2)], 1)}


@pair(
    "M18",
    "encoder-decoder",
    "lstm",
    "decoder",
    lambda: (ids(3, 6, 12), begun(3, 5, 12)),
    hints=lambda: next_target(3, 6, 5, 12),
)
class SeeingDecoder(nn.Module):
    """Layers of unrolled.nn; the decoder is bidirectional like the encoder."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(12, 5)
        self.encoder = unrolled.nn.LSTM(5, 6, bidirectional=True, batch_first=True)
        if right:
            self.decoder = unrolled.nn.LSTM(5, 12, batch_first=True)
        else:
            self.decoder = unrolled.nn.LSTM(5, 6, bidirectional=True, batch_first=True)
        self.out = nn.Linear(12, 12)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        _, (h, c) = self.encoder(self.embed(source))
        if self.right:
            h, c = (torch.cat([state[0], state[1]], -1)[None] for state in (h, c))
        output, _ = self.decoder(self.embed(target), (h, c))
        return self.out(output)


@pair(
    "M18",
    "language model",
    "rnn",
    "rnn",
    lambda: (ids(3, 6, 10),),
    hints=lambda: next_symbols(3, 6, 10),
)
class SeeingCharModel(nn.Module):
    """One-hot characters, tied nothing, a tuple comes out."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.rnn = nn.RNN(10, 7, bidirectional=not right, batch_first=True)
        self.out = nn.Linear(7 if right else 14, 10)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
        one_hot = nn.functional.one_hot(text, 10).to(self.out.weight.dtype)
        output, h_n = self.rnn(one_hot)
        return self.out(output).log_softmax(-1), h_n
