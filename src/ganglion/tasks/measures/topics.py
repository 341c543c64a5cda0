"""How good topics are: whether their words stand together in texts, and whether they differ; and classic methods."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from ganglion.core import Measure

TOP = 10
"""Words that a topic is judged by."""

COHERENCE = Measure(
    name="coherence",
    higher_is_better=True,
    meaning="Whether the ten words of a topic stand in the same training texts: normalised mutual information, "
    "-1 never, 0 by chance, 1 always.",
)
UNIQUENESS = Measure(
    name="uniqueness",
    higher_is_better=True,
    meaning="Different words among the ten of every topic, as a share: 1 if no two topics share a word.",
)
PERPLEXITY = Measure(
    name="perplexity",
    higher_is_better=False,
    meaning="Words of equal chance that would be as surprising as the next word of a text; an upper bound.",
)
LDA_COHERENCE = Measure(
    name="lda_coherence", higher_is_better=True, meaning="Coherence of latent Dirichlet allocation, as many topics."
)
LDA_UNIQUENESS = Measure(name="lda_uniqueness", higher_is_better=True, meaning="Uniqueness of its topics.")
NMF_COHERENCE = Measure(
    name="nmf_coherence", higher_is_better=True, meaning="Coherence of non-negative matrix factorisation."
)
NMF_UNIQUENESS = Measure(name="nmf_uniqueness", higher_is_better=True, meaning="Uniqueness of its topics.")


def leading(weights: np.ndarray, count: int = TOP) -> np.ndarray:
    """Return the words of most weight (topics, count), most first, of weights (topics, words)."""
    return np.argsort(-weights, axis=1, kind="stable")[:, :count]


def coherence(words: np.ndarray, bags: sparse.csr_matrix) -> np.ndarray:
    """Return the mean NPMI of pairs of words for each topic (topics,), by the texts that words stand in.

    NPMI(a, b) = log(p(a, b) / (p(a) p(b))) / -log p(a, b), p the share of the texts; -1 where no text has both.

    Args:
        words: numbers of the words of each topic (topics, count).
        bags: how often each word stands in each text (texts, words).

    Source: Bouma (2009).

    >>> bags = sparse.csr_matrix([[1, 2, 0, 0], [1, 1, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]])
    >>> coherence(np.array([[0, 1], [2, 3]]), bags).tolist()
    [1.0, -1.0]
    """
    there = (bags > 0).astype(np.float64)
    used, place = np.unique(words, return_inverse=True)
    place = place.reshape(words.shape)
    columns = there[:, used]
    together = np.asarray((columns.T @ columns).todense()) / there.shape[0]
    alone = np.diag(together)
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(together / np.outer(alone, alone)) / -np.log(together)
    information = np.where(together > 0, np.where(together < 1, information, 1.0), -1.0)
    first, second = np.triu_indices(words.shape[1], k=1)
    found: np.ndarray = information[place[:, first], place[:, second]].mean(axis=1)
    return found


def uniqueness(words: np.ndarray) -> float:
    """Return the share of different words among those of all topics (topics, count).

    >>> uniqueness(np.array([[0, 1], [1, 2]]))
    0.75
    """
    return len(np.unique(words)) / words.size


def classic(bags: sparse.csr_matrix, topics: int, seed: int) -> dict[str, float]:
    """Return what latent Dirichlet allocation and matrix factorisation of scikit-learn come to, by our measures.

    Args:
        bags: how often each word stands in each text (texts, words).
        topics: how many each finds.
    """
    from sklearn.decomposition import NMF, LatentDirichletAllocation
    from sklearn.feature_extraction.text import TfidfTransformer

    dirichlet = LatentDirichletAllocation(topics, random_state=seed, max_iter=20).fit(bags)
    factors = NMF(topics, random_state=seed, init="nndsvda", max_iter=400, tol=1e-3)
    factors.fit(TfidfTransformer(sublinear_tf=True).fit_transform(bags))
    found = {}
    for name, model in (("lda", dirichlet), ("nmf", factors)):
        words = leading(model.components_)
        found[f"{name}_coherence"] = float(coherence(words, bags).mean())
        found[f"{name}_uniqueness"] = uniqueness(words)
    return found


def counted(numbers: Sequence[np.ndarray], words: int) -> sparse.csr_matrix:
    """Return how often each word stands in each text (texts, words), of the numbers of its words from 0 on (tokens,).

    >>> counted([np.array([0, 0, 2]), np.array([], dtype=int)], 3).todense().tolist()
    [[2.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    lengths = [len(one) for one in numbers]
    rows = np.repeat(np.arange(len(lengths)), lengths)
    columns = np.concatenate([*numbers, np.array([], dtype=np.int64)]).astype(np.int64)
    bags = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(lengths), words))
    bags.sum_duplicates()
    return bags
