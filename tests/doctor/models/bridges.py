"""M04, M05, M16, M26, M30: what starts a layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import unrolled.nn

from .case import pair
from .example_inputs import begun, floats, ids

# ---- M04: a latent viewed into h_0


@pair(
    "M04",
    "variational language model",
    "gru",
    "decoder",
    lambda: (begun(3, 6, 17), torch.randn(3, 5)),
    severities=("error",),
)
class SentenceVae(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.num_layers, self.hidden_size = 2, 8
        self.embedding = nn.Embedding(17, 6)
        self.latent2hidden = nn.Linear(5, 16)
        self.decoder = nn.GRU(6, 8, num_layers=2, batch_first=True)
        self.outputs2vocab = nn.Linear(8, 17)

    def forward(self, input_sequence: Tensor, z: Tensor) -> Tensor:
        batch_size = input_sequence.size(0)
        hidden = self.latent2hidden(z)
        if self.right:
            hidden = hidden.view(batch_size, self.num_layers, self.hidden_size)
            hidden = hidden.transpose(0, 1).contiguous()
        else:
            hidden = hidden.view(self.num_layers, batch_size, self.hidden_size)
        outputs, _ = self.decoder(self.embedding(input_sequence), hidden)
        return nn.functional.log_softmax(self.outputs2vocab(outputs), dim=-1)


@pair(
    "M04",
    "captioner",
    "lstm",
    "rnn",
    lambda: (torch.randn(4, 3, 8, 8), begun(4, 5, 12)),
    severities=("error",),
)
class ImageCaptioner(nn.Module):
    """h_0 and c_0 from an image; time-major."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.init_h = nn.Linear(4, 3 * 5)
        self.init_c = nn.Linear(4, 3 * 5)
        self.embed = nn.Embedding(12, 6)
        self.rnn = nn.LSTM(6, 5, num_layers=3)
        self.out = nn.Linear(5, 12)

    def split(self, flat: Tensor) -> Tensor:
        if self.right:
            return torch.stack(flat.chunk(3, dim=1))
        return flat.reshape(3, -1, 5)

    def forward(self, image: Tensor, caption: Tensor) -> Tensor:
        features = self.cnn(image)
        h_0, c_0 = self.split(self.init_h(features)), self.split(self.init_c(features))
        output, _ = self.rnn(self.embed(caption).transpose(0, 1), (h_0, c_0))
        return self.out(output).transpose(0, 1)


@pair(
    "M04",
    "forecaster",
    "rnn",
    "core.rnn",
    lambda: (floats(5, 4, 2),),
    keywords=lambda: {"static": torch.randn(5, 3)},
    severities=("error",),
)
class StaticFeaturesForecaster(nn.Module):
    """Static features of a series start both directions of a smoother."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.start = nn.Sequential(nn.Linear(3, 8), nn.Tanh())
        self.core = nn.ModuleDict({"rnn": nn.RNN(2, 4, bidirectional=True, batch_first=True)})
        self.head = nn.Linear(8, 1)

    def forward(self, x: Tensor, static: Tensor) -> dict[str, Tensor]:
        start = self.start(static)
        if self.right:
            h_0 = start.view(-1, 2, 4).permute(1, 0, 2).contiguous()
        else:
            h_0 = start.view(2, -1, 4)
        output, _ = self.core["rnn"](x, h_0)
        return {"level": self.head(output)}


# ---- M05: the bridge flattens layers or directions with view


@pair(
    "M05",
    "encoder-decoder",
    "gru",
    "encoder",
    lambda: (ids(4, 6, 13), begun(4, 5, 12)),
    severities=("error",),
    also={"M03": "a view mixes the samples of h_n, whatever reads it"},
)
class ViewedDirectionsTranslator(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src_emb = nn.Embedding(13, 6)
        self.tgt_emb = nn.Embedding(12, 6)
        self.encoder = nn.GRU(6, 5, bidirectional=True, batch_first=True)
        self.decoder = nn.GRU(6, 10, batch_first=True)
        self.fc_out = nn.Linear(10, 12)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        _, hidden = self.encoder(self.src_emb(src))
        if self.right:
            hidden = torch.cat((hidden[0], hidden[1]), dim=1).unsqueeze(0)
        else:
            hidden = hidden.view(1, src.size(0), -1)
        return self.fc_out(self.decoder(self.tgt_emb(trg), hidden)[0])


@pair(
    "M05",
    "encoder-decoder",
    "lstm",
    "encoder",
    lambda: (ids(3, 7, 14, [7, 5, 2]), torch.tensor([7, 5, 2]), begun(3, 4, 11)),
    severities=("error",),
    also={"M03": "a view mixes the samples of h_n, whatever reads it"},
)
class DeepViewedTranslator(nn.Module):
    """Two layers each side, ragged sources, h and c both."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src_emb = nn.Embedding(14, 5, padding_idx=0)
        self.tgt_emb = nn.Embedding(11, 5, padding_idx=0)
        self.encoder = nn.LSTM(5, 4, num_layers=2, bidirectional=True)
        self.decoder = nn.LSTM(5, 8, num_layers=2)
        self.out = nn.Linear(8, 11)

    def bridge(self, state: Tensor) -> Tensor:
        if self.right:
            return torch.cat([state[0::2], state[1::2]], dim=-1)
        return state.view(self.decoder.num_layers, state.size(1), 2 * state.size(2))

    def forward(self, src: Tensor, src_len: Tensor, trg: Tensor) -> Tensor:
        embedded = self.src_emb(src).transpose(0, 1)
        _, (h, c) = self.encoder(pack_padded_sequence(embedded, src_len, enforce_sorted=False))
        output, _ = self.decoder(
            self.tgt_emb(trg.t()), (self.bridge(h).contiguous(), self.bridge(c).contiguous())
        )
        return self.out(output).transpose(0, 1)


@pair(
    "M05",
    "forecaster",
    "rnn",
    "enc",
    lambda: (floats(4, 5, 3), floats(4, 3, 1)),
    severities=("error",),
    also={"M03": "a view mixes the samples of h_n, whatever reads it"},
)
class ProjectedLayersForecaster(nn.Module):
    """All layers flattened, then projected to the decoder's size."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.enc = nn.RNN(3, 6, num_layers=2, batch_first=True)
        self.project = nn.Linear(12, 5)
        self.dec = nn.RNN(1, 5, batch_first=True)
        self.read_out = nn.Linear(5, 1)

    def forward(self, history: Tensor, future: Tensor) -> tuple[Tensor, Tensor]:
        _, h = self.enc(history)
        if self.right:
            h = h.transpose(0, 1)
        flat = h.reshape(history.shape[0], 12)
        decoded, h = self.dec(future, self.project(flat)[None])
        return self.read_out(decoded), h


# ---- M16: c lost, or swapped with h


@pair(
    "M16",
    "encoder-decoder",
    "lstm",
    "encoder",
    lambda: (ids(3, 6, 12), begun(3, 5, 12)),
)
class HiddenTwiceTranslator(nn.Module):
    """The decoder starts from (h, h)."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(12, 6)
        self.encoder = nn.LSTM(6, 7, batch_first=True)
        self.decoder = nn.LSTM(6, 7, batch_first=True)
        self.out = nn.Linear(7, 12)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        _, (h, c) = self.encoder(self.embed(src))
        state = (h, c) if self.right else (h, h)
        return self.out(self.decoder(self.embed(tgt), state)[0])


@pair("M16", "classifier", "lstm", "lstm", lambda: (floats(4, 9, 3),))
class SwappedUnpackClassifier(nn.Module):
    """(c_n, h_n) unpacked in the wrong order."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.lstm = nn.LSTM(3, 6, num_layers=2, batch_first=True)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        if self.right:
            _, (hidden, _cell) = self.lstm(x)
        else:
            _, (_cell, hidden) = self.lstm(x)
        return self.fc(hidden[-1])


@pair(
    "M16",
    "encoder-decoder",
    "lstm",
    "encoder",
    lambda: (ids(3, 6, 14, [6, 4, 3]), torch.tensor([6, 4, 3]), begun(3, 4, 11)),
)
class SwappedStartTranslator(nn.Module):
    """The decoder starts from (c, h); layers of unrolled.nn."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src = nn.Embedding(14, 5)
        self.tgt = nn.Embedding(11, 5)
        self.encoder = unrolled.nn.LSTM(5, 6, num_layers=2)
        self.decoder = unrolled.nn.LSTM(5, 6, num_layers=2)
        self.out = nn.Linear(6, 11)

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        _, (h, c) = self.encoder(self.src(source).transpose(0, 1), lengths=lengths)
        start = (h, c) if self.right else (c, h)
        output, _ = self.decoder(self.tgt(target).transpose(0, 1), start)
        return self.out(output.transpose(0, 1))


@pair("M16", "captioner", "lstm", "decoder", lambda: (torch.randn(4, 6), begun(4, 5, 10)))
class CellLoopCaptioner(nn.Module):
    """An LSTMCell; its two results are taken in the wrong order."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(10, 5)
        self.init_h, self.init_c = nn.Linear(6, 8), nn.Linear(6, 8)
        self.decoder = nn.LSTMCell(5, 8)
        self.fc = nn.Linear(8, 10)

    def forward(self, features: Tensor, captions: Tensor) -> Tensor:
        h, c = self.init_h(features), self.init_c(features)
        logits = []
        for t in range(captions.size(1)):
            if self.right:
                h, c = self.decoder(self.embed(captions[:, t]), (h, c))
            else:
                c, h = self.decoder(self.embed(captions[:, t]), (h, c))
            logits.append(self.fc(h))
        return torch.stack(logits, 1)


# ---- M26: h_0 laid out (batch, layers, hidden), and the sizes happen to agree

SAME_TENSOR = {"M04": "with as many samples as layers this is the tensor that a view would give"}


@pair(
    "M26",
    "classifier",
    "lstm",
    "lstm",
    lambda: (floats(2, 6, 4), torch.randn(2, 3)),
    also=SAME_TENSOR,
)
class BatchFirstStateClassifier(nn.Module):
    """batch_first=True is thought to hold for the states too."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.h0, self.c0 = nn.Linear(3, 10), nn.Linear(3, 10)
        self.lstm = nn.LSTM(4, 5, num_layers=2, batch_first=True)
        self.fc = nn.Linear(5, 3)

    def forward(self, x: Tensor, profile: Tensor) -> Tensor:
        h_0 = self.h0(profile).view(x.size(0), 2, 5)
        c_0 = self.c0(profile).view(x.size(0), 2, 5)
        if self.right:
            h_0, c_0 = h_0.transpose(0, 1).contiguous(), c_0.transpose(0, 1).contiguous()
        output, _ = self.lstm(x, (h_0, c_0))
        return self.fc(output[:, -1])


@pair(
    "M26",
    "encoder-decoder",
    "gru",
    "decoder",
    lambda: (ids(3, 6, 12), begun(3, 4, 11)),
    also={
        **SAME_TENSOR,
        "M05": "what is transposed are the encoder's final states, on their way to the decoder",
    },
)
class TransposedBridgeTranslator(nn.Module):
    """The encoder gives its states batch first, and nobody turns them back."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src, self.tgt = nn.Embedding(12, 5), nn.Embedding(11, 5)
        self.encoder = nn.GRU(5, 6, num_layers=3, batch_first=True)
        self.decoder = nn.GRU(5, 6, num_layers=3, batch_first=True)
        self.out = nn.Linear(6, 11)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        _, h_n = self.encoder(self.src(src))
        states = h_n.transpose(0, 1)
        if self.right:
            states = states.transpose(0, 1)
        output, _ = self.decoder(self.tgt(tgt), states.contiguous())
        return self.out(output)


@pair("M26", "tagger", "rnn", "rnn", lambda: (floats(4, 7, 3), torch.randn(4, 3)))
class SpeakerStartTagger(nn.Module):
    """Two layers, two directions, four samples; time-major."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.starts = nn.ModuleList(nn.Linear(3, 6) for _ in range(4))
        self.rnn = nn.RNN(3, 6, num_layers=2, bidirectional=True)
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        h_0 = torch.stack([start(speaker) for start in self.starts], 0 if self.right else 1)
        output, _ = self.rnn(x.transpose(0, 1), h_0)
        return self.fc(output).transpose(0, 1)


# ---- M30: the decoder starts from nothing, the encoder's final states are thrown away


class DotAttention(nn.Module):
    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        weights = torch.softmax(queries @ memory.transpose(1, 2), dim=-1)
        return weights @ memory


@pair(
    "M30",
    "encoder-decoder",
    "gru",
    "encoder",
    lambda: (ids(3, 6, 12), begun(3, 4, 11)),
    severities=("note", "warning"),
)
class ZeroStartTranslator(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src, self.tgt = nn.Embedding(12, 5), nn.Embedding(11, 5)
        self.encoder = nn.GRU(5, 6, batch_first=True)
        self.decoder = nn.GRU(5, 6, batch_first=True)
        self.attention = DotAttention()
        self.out = nn.Linear(12, 11)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        memory, h_n = self.encoder(self.src(src))
        if not self.right:
            h_n = torch.zeros_like(h_n)
        output, _ = self.decoder(self.tgt(tgt), h_n)
        return self.out(torch.cat([output, self.attention(output, memory)], -1))


@pair(
    "M30",
    "encoder-decoder",
    "lstm",
    "encoder",
    lambda: (ids(4, 5, 13), begun(4, 6, 12)),
    severities=("note", "warning"),
)
class LearnedStartTranslator(nn.Module):
    """A learned vector starts the decoder; directions of an encoder beside it."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src, self.tgt = nn.Embedding(13, 5), nn.Embedding(12, 5)
        self.encoder = nn.LSTM(5, 4, bidirectional=True)
        self.decoder = nn.LSTM(5, 8)
        self.h_0 = nn.Parameter(torch.randn(1, 1, 8))
        self.c_0 = nn.Parameter(torch.randn(1, 1, 8))
        self.attention = DotAttention()
        self.out = nn.Linear(16, 12)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        memory, (h, c) = self.encoder(self.src(src).transpose(0, 1))
        if self.right:
            start = tuple(torch.cat([state[0], state[1]], -1)[None] for state in (h, c))
        else:
            batch = src.size(0)
            start = (self.h_0.repeat(1, batch, 1), self.c_0.repeat(1, batch, 1))
        output, _ = self.decoder(self.tgt(tgt).transpose(0, 1), start)
        output, memory = output.transpose(0, 1), memory.transpose(0, 1)
        return self.out(torch.cat([output, self.attention(output, memory)], -1))


@pair(
    "M30",
    "forecaster",
    "rnn",
    "encoder",
    lambda: (floats(3, 6, 2), floats(3, 4, 2)),
    severities=("note", "warning"),
)
class ZeroStartForecaster(nn.Module):
    """A cell in a loop that attends at each step."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.encoder = nn.RNN(2, 5, batch_first=True)
        self.cell = nn.RNNCell(7, 5)
        self.attention = DotAttention()
        self.out = nn.Linear(5, 1)

    def forward(self, past: Tensor, known: Tensor) -> Tensor:
        memory, h_n = self.encoder(past)
        h = h_n[-1] if self.right else past.new_zeros(past.size(0), 5)
        forecasts = []
        for step in known.unbind(1):
            context = self.attention(h.unsqueeze(1), memory).squeeze(1)
            h = self.cell(torch.cat([step, context], -1), h)
            forecasts.append(self.out(h))
        return torch.cat(forecasts, 1)
