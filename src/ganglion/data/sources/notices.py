"""Short notices made on the spot, each on one or two of eight subjects."""

import numpy as np

from ganglion.data.dataset import Dataset

SUBJECTS = {
    "weather": "rain wind storm snow forecast cloud sunny cold frost thunder degrees fog drought flood temperature",
    "football": "match goal team coach player league season striker penalty referee stadium defender cup draw keeper",
    "cooking": "recipe oven butter flour onion garlic simmer salt pan dough roast soup spice serve kitchen",
    "medicine": "patient doctor hospital treatment disease vaccine surgery nurse symptom clinic dose fever therapy "
    "cure blood",
    "money": "bank market shares price interest loan investor profit tax budget currency bond dividend stock fund",
    "space": "rocket orbit satellite moon astronaut telescope planet launch mission star galaxy probe comet crew mars",
    "music": "concert band song guitar album piano singer orchestra melody drums stage chord choir violin audience",
    "garden": "seed soil rose flower hedge compost bloom lawn weed spade tulip harvest greenhouse prune root",
}
"""Fifteen words of each."""
COMMON = (
    "today people city year week report open long small place town help start early late number part show group plan"
)
"""Words of every subject."""
SHARE_OF_COMMON, SHARE_OF_SECOND = 0.35, 0.3


def notices(random: np.random.Generator, count: int | None) -> Dataset:
    """Texts of 20 to 40 words: a third of them of every subject, the others of one subject or, of a third, of two.

    Within a subject a word is the rarer the further back it stands in its list: p proportional to 1 / (place + 4).
    """
    subjects = [words.split() for words in SUBJECTS.values()]
    common = COMMON.split()
    chances = 1 / (np.arange(len(subjects[0])) + 4)
    chances /= chances.sum()
    texts, classes = [], []
    for _ in range(count or 1200):
        first, second = random.permutation(len(subjects))[:2]
        share = SHARE_OF_SECOND if random.random() < 1 / 3 else 0.0
        words = []
        for kind in random.random((random.integers(20, 41), 2)):
            if kind[0] < SHARE_OF_COMMON:
                words.append(common[random.integers(len(common))])
            else:
                words.append(subjects[second if kind[1] < share else first][random.choice(len(chances), p=chances)])
        texts.append(f"{' '.join(words).capitalize()}.")
        classes.append(first)
    targets = np.array(classes, dtype=np.int64)
    return Dataset.of(name="", kind="documents", inputs=texts, targets=targets, label_names=tuple(SUBJECTS))
