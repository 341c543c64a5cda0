"""Networks that read step by step and keep a state: series, texts, sequences."""

from ganglion.models.system import System

SYSTEMS = (
    System(
        name="lstm-forecaster",
        module="recurrent.lstm_forecaster",
        tasks=("forecasting",),
        data="mackey-glass",
        defaults={"epochs": 6, "batch_size": 64},
        tour={"epochs": 2},
    ),
    System(
        name="char-rnn",
        module="recurrent.char_rnn",
        tasks=("language",),
        data="tales",
        defaults={"epochs": 6, "batch_size": 32, "validation": 0.05, "test": 0.05, "schedule": "cosine"},
        tour={"epochs": 2},
    ),
    System(
        name="word-rnn",
        module="recurrent.word_rnn",
        tasks=("language",),
        data="tales",
        defaults={"epochs": 8, "batch_size": 32, "validation": 0.05, "test": 0.05, "schedule": "cosine"},
    ),
    System(
        name="sentiment",
        module="recurrent.sentiment",
        tasks=("categorisation",),
        data="opinions",
        defaults={"epochs": 8, "batch_size": 32, "ema_decay": 0.99, "schedule": "cosine", "monitor": "loss"},
        tour={"epochs": 5},
    ),
    System(
        name="elman-tagger",
        module="recurrent.elman_tagger",
        tasks=("tagging",),
        data="tagged-sentences",
        defaults={"epochs": 12, "batch_size": 16, "schedule": "cosine", "monitor": "loss"},
        tour={"threads": 1},
    ),
    System(
        name="jordan",
        module="recurrent.jordan",
        tasks=("tagging",),
        data="lift",
        defaults={"epochs": 30, "batch_size": 16, "monitor": "loss"},
    ),
    System(
        name="translator",
        module="recurrent.translator",
        tasks=("translation",),
        data="dates",
        defaults={"epochs": 5, "batch_size": 64, "schedule": "cosine", "ema_decay": 0.99, "test": 0.1},
    ),
    System(
        name="captioner",
        module="recurrent.captioner",
        tasks=("captioning",),
        data="scenes",
        defaults={"epochs": 12, "batch_size": 32, "schedule": "cosine", "ema_decay": 0.99, "test": 0.1},
    ),
    System(
        name="document-classifier",
        module="recurrent.document_classifier",
        tasks=("categorisation",),
        data="opinions",
        defaults={"epochs": 6, "batch_size": 32, "ema_decay": 0.99, "schedule": "cosine"},
    ),
    System(
        name="spoken-words",
        module="recurrent.spoken_words",
        tasks=("sound_classification", "transcription"),
        data="voices",
        defaults={"epochs": 15, "batch_size": 32, "schedule": "cosine", "monitor": "loss"},
    ),
    System(
        name="sketch-rnn",
        module="recurrent.sketch_rnn",
        tasks=("sketching",),
        data="sketches",
        defaults={"epochs": 20, "batch_size": 32, "schedule": "cosine", "ema_decay": 0.99, "test": 0.1},
    ),
)
