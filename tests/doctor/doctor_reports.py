"""Reports made by hand, and what each is rendered to."""

import math

from unrolled.doctor import Evidence, Finding, Report, UnrunCheck

HOSTILE = "</script><b onload='x'>&\"]]>\u202e\x00\x1b[31m\nשלום"

LAST_STEP = Finding(
    code="M01",
    severity="error",
    module="encoder.lstm",
    evidence=Evidence(
        "RF",
        "The columns 16 to 31 that reach logits[0] have read step 6 alone, of 7 steps.",
        {"sample": 0, "first step": 6, "last step": 6, "steps": 7, "change": 0.0123456},
    ),
    explanation="What reaches the result is h[layer=0, reverse, step=6], the first state that the "
    "reverse direction computed; the one it ends with is h[layer=0, reverse, step=0].",
    repair="output, (h_n, c_n) = self.lstm(x)\nsummary = torch.cat([h_n[-2], h_n[-1]], dim=-1)\n",
)
NO_DROPOUT = Finding(
    code="M27",
    severity="warning",
    module="encoder.lstm",
    evidence=Evidence("HOOK", "dropout is 0.5 and num_layers is 1.", {"dropout": 0.5}),
    explanation="The dropout of a recurrent layer acts between layers; this one has one layer.",
    repair="self.lstm = nn.LSTM(8, 16)\nself.dropout = nn.Dropout(0.5)",
)
THROWN_AWAY = Finding(
    code="M30",
    severity="note",
    module="",
    evidence=Evidence("RF", "The gradient of encoder.lstm's hidden_state is 0.", {"gradient": 0.0}),
    explanation="The final states of the encoder reach nothing.",
    repair="output, _ = self.decoder(y, h_n)",
)
NOT_RAGGED = UnrunCheck(
    "M02", "All samples have the same length; give lengths=[7, 5] with two samples or more."
)
RAISED = "the model raised RuntimeError: no such table; give the inputs of a call that works."
ASSUMED = "Dimension 0 of input 0 was taken for the batch, and dimension 1 for the steps."


def examples() -> dict[str, Report]:
    """The reports by the names of their golden files."""
    return {
        "clean": Report("Tagger", (), (), (), tuple(f"M{n:02d}" for n in range(1, 31)), 0.512),
        "mixed": Report(
            "Classifier",
            (THROWN_AWAY, NO_DROPOUT, LAST_STEP),
            (NOT_RAGGED,),
            (ASSUMED,),
            ("M01", "M03", "M27", "M30"),
            1.25,
        ),
        "unseen": Report(
            "Raising",
            (),
            tuple(UnrunCheck(f"M{n:02d}", RAISED) for n in range(1, 31) if n != 27),
            (),
            ("M27",),
            0.02,
        ),
        "note": Report("Translator", (THROWN_AWAY,), (), (), ("M30",), 0.04),
        "hostile": Report(
            HOSTILE,
            (
                Finding(
                    "M10",
                    "error",
                    HOSTILE,
                    Evidence("PAD", HOSTILE, {HOSTILE: HOSTILE, "change": math.inf, "same": False}),
                    HOSTILE,
                    f"a = 1\n\n\t{HOSTILE}",
                ),
            ),
            (UnrunCheck("M11", HOSTILE),),
            (HOSTILE,),
            ("M10",),
            0.0,
        ),
    }


def renderings(report: Report) -> dict[str, str]:
    """File ending and content of each rendering."""
    return {
        "txt": report.text(),
        "json": report.to_json(indent=2) + "\n",
        "html": report.to_html(),
        "xml": report.to_junit(),
    }
