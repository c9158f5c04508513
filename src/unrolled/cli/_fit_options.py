"""The options of ``unrolled fit``, group by group. Nothing here imports PyTorch."""

from __future__ import annotations

from jsonargparse import ActionYesNo

from ..tasks import TASKS
from ._column_options import add_column_options
from ._parser import CommandParser
from ._values import devices, real, separator, text, whole

YES_NO = ActionYesNo(no_prefix="no_")
SYMBOLS = ("characters", "separator", "bpe")


def fit_parser() -> CommandParser:
    """The options of ``unrolled fit``."""
    parser = CommandParser(
        "fit",
        usage="(--task NAME | --train TSV --dev TSV) --output DIR [options]",
        description="Train an attentional encoder-decoder on pairs of strings and save it as a "
        "model directory. A setting of the task counts least, then one of the --config file, and "
        "one given on the command line after it counts most.",
        examples="  unrolled fit --task g2p --output runs/g2p\n"
        "  unrolled fit --train train.tsv --dev dev.tsv --max_minutes 10 \\\n"
        "    --output runs/mine\n"
        "  unrolled fit --config recipes/g2p.yaml --output runs/g2p --seed 2\n"
        "  unrolled fit --task g2p --output runs/g2p --resume",
    )
    parser.add_config_options()
    _add_data(parser)
    add_column_options(parser)
    _add_symbols(parser)
    _add_model(parser)
    _add_training(parser)
    _add_machine(parser)
    _add_output(parser)
    return parser


def _add_data(parser: CommandParser) -> None:
    group = parser.add_argument_group("data")
    tasks = "; ".join(f"{task.name}: {task.summary}" for task in TASKS.values())
    group.add_argument(
        "--task",
        type=text,
        metavar="NAME",
        help=f"a ready recipe that brings its data and settings ({tasks})",
    )
    group.add_argument(
        "--data_dir",
        type=text,
        metavar="DIR",
        help="where the task writes its TSVs (unless given: data/NAME)",
    )
    group.add_argument("--train", type=text, metavar="TSV", help="pairs to learn from; also .gz")
    group.add_argument("--dev", type=text, metavar="TSV", help="pairs to choose the model by")
    group.add_argument(
        "--max_length",
        type=whole(1),
        metavar="N",
        default=1000,
        help="a source or target with more symbols is a fault",
    )


def _add_symbols(parser: CommandParser) -> None:
    group = parser.add_argument_group(
        "symbols", "How a text becomes the symbols that the model reads and writes."
    )
    for side in ("source", "target"):
        group.add_argument(
            f"--{side}_symbols",
            choices=SYMBOLS,
            default="characters",
            help=f"what a {side} is cut into: characters, pieces between separators, or byte "
            "pairs learnt from the training data",
        )
        group.add_argument(
            f"--{side}_separator",
            type=separator,
            metavar="TEXT",
            default=" ",
            help=f"what stands between the pieces of a {side}",
        )
        group.add_argument(
            f"--{side}_vocab_size",
            type=whole(5, 10_000_000),
            metavar="N",
            help="at most that many symbols (unless given: all that occur; needed for bpe)",
        )
        group.add_argument(
            f"--{side}_lowercase", action=YES_NO, default=False, help=f"lower-case every {side}"
        )


def _add_model(parser: CommandParser) -> None:
    group = parser.add_argument_group("model")
    cells = ("lstm", "gru", "rnn_tanh", "rnn_relu")
    group.add_argument("--cell", choices=cells, default="lstm", help="cell of the encoder")
    group.add_argument(
        "--decoder_cell", choices=cells, help="cell of the decoder (unless given: as the encoder)"
    )
    sizes = (
        ("embedding_size", 128, "numbers per symbol embedding"),
        ("encoder_hidden_size", 256, "hidden states of each encoder layer and direction"),
        ("decoder_hidden_size", 256, "hidden states of each decoder layer"),
        ("encoder_layers", 1, "layers of the encoder"),
        ("decoder_layers", 1, "layers of the decoder"),
    )
    for name, default, help_text in sizes:
        group.add_argument(f"--{name}", type=whole(1), metavar="N", default=default, help=help_text)
    group.add_argument(
        "--bidirectional",
        action=YES_NO,
        default=True,
        help="whether the encoder also runs in the reverse direction",
    )
    group.add_argument(
        "--attention",
        choices=("general", "dot", "additive", "concat"),
        default="general",
        help="how the decoder scores each step of the memory",
    )
    group.add_argument(
        "--attention_size",
        type=whole(1),
        metavar="N",
        help="inner size of additive and concat attention (unless given: that of the decoder)",
    )
    group.add_argument(
        "--input_feeding",
        action=YES_NO,
        default=False,
        help="the decoder also reads its last attended state; better on long strings, slower",
    )
    group.add_argument(
        "--bridge_hidden",
        choices=("concat", "sum", "mean", "project", "copy", "zero", "learned"),
        default="project",
        help="how the final states of both directions become one initial state",
    )
    group.add_argument(
        "--bridge_layers",
        choices=("match", "top", "repeat"),
        default="top",
        help="which encoder layer starts which decoder layer",
    )
    group.add_argument(
        "--bridge_cell",
        choices=("from_cell", "from_hidden", "zero"),
        help="what starts the cell state of an LSTM decoder (unless given: the cell state where "
        "the encoder has one, else its hidden state)",
    )
    group.add_argument(
        "--dropout", type=real(minimum=0, below=1), metavar="P", default=0.1, help="dropout rate"
    )
    group.add_argument(
        "--tie_embeddings",
        action=YES_NO,
        default=False,
        help="one matrix embeds the target symbols and scores them",
    )


def _add_training(parser: CommandParser) -> None:
    group = parser.add_argument_group(
        "training", "It ends at --max_epochs, --max_steps or --max_minutes, whichever comes first."
    )
    group.add_argument(
        "--max_epochs", type=whole(1), metavar="N", default=20, help="passes over the data"
    )
    group.add_argument("--max_steps", type=whole(1), metavar="N", help="batches to train on")
    group.add_argument(
        "--max_minutes",
        type=real(above=0),
        metavar="MIN",
        help="time budget in minutes; the learning rate falls to zero within it",
    )
    group.add_argument(
        "--tokens_per_batch",
        type=whole(1),
        metavar="N",
        default=2048,
        help="symbols in a batch, source and target and padding together",
    )
    group.add_argument(
        "--learning_rate", type=real(above=0), metavar="X", default=2e-3, help="its peak, Adam"
    )
    group.add_argument(
        "--schedule",
        choices=("linear", "cosine", "inverse_sqrt", "constant"),
        default="linear",
        help="how the rate falls from its peak; linear and cosine reach zero as training ends",
    )
    group.add_argument(
        "--warmup_steps",
        type=whole(0),
        metavar="N",
        default=200,
        help="steps in which the rate rises to its peak",
    )
    group.add_argument(
        "--weight_decay", type=real(minimum=0), metavar="X", default=0.0, help="of AdamW"
    )
    group.add_argument(
        "--label_smoothing",
        type=real(minimum=0, below=1),
        metavar="P",
        default=0.1,
        help="probability spread over all symbols",
    )
    group.add_argument(
        "--gradient_clip",
        type=real(above=0),
        metavar="X",
        default=1.0,
        help="largest norm of the gradient of all weights together",
    )
    group.add_argument(
        "--seed", type=whole(0, 2**63 - 1), metavar="N", default=1, help="seed of all chance"
    )
    group.add_argument(
        "--monitor",
        choices=("wer", "loss"),
        default="wer",
        help="what of the dev data chooses the best model: WER, decoded freely, or loss",
    )
    group.add_argument(
        "--patience",
        type=whole(1),
        metavar="N",
        help="stop after that many epochs without a better one (unless given: never)",
    )


def _add_machine(parser: CommandParser) -> None:
    group = parser.add_argument_group("machine", "Named as in Lightning.")
    group.add_argument(
        "--accelerator",
        choices=("auto", "cpu", "gpu", "cuda", "mps"),
        default="auto",
        help="what computes",
    )
    group.add_argument(
        "--devices", type=devices, metavar="N", default="auto", help="how many of them, or auto"
    )
    group.add_argument(
        "--num_nodes", type=whole(1), metavar="N", default=1, help="machines that train together"
    )
    group.add_argument(
        "--strategy",
        choices=("auto", "ddp"),
        default="auto",
        help="how several processes share the work",
    )


def _add_output(parser: CommandParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--output",
        type=text,
        metavar="DIR",
        help="the model directory; checkpoints and logs go into it too",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint in --output as if never interrupted",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="start again where --output already holds a model or a checkpoint",
    )
    group.add_argument(
        "--checkpoint_steps",
        type=whole(1),
        metavar="N",
        default=500,
        help="steps between checkpoints; there is one after each epoch too",
    )
