#!/usr/bin/env python3
"""Computes text_baseline.json: TF-IDF and logistic regression on the mails of text.py.

    python tests/demo/text_baseline.py        (with scikit-learn; after make setup)

Words and pairs of words in lower case that occur in two mails at least, sublinear
frequencies; the strength is chosen by five-fold cross-validation over whole groups of
the part that is learned from.
"""

import json
import platform
import tempfile

import numpy
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from text import BASELINE, FOLDS, folds, mails


def main() -> None:
    all_mails = mails()
    fold_of = numpy.array(folds(all_mails))
    texts = numpy.array([mail["text"] for mail in all_mails], dtype=object)
    spam = numpy.array([mail["label"] == "spam" for mail in all_mails])
    groups = numpy.array([mail["group"] for mail in all_mails])
    shares, right, chosen = [], 0, []
    # Words are counted once a division, and not once a strength.
    memory = tempfile.TemporaryDirectory()
    for fold in range(FOLDS):
        learn, held_out = fold_of != fold, fold_of == fold
        model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
            LogisticRegression(max_iter=1000),
            memory=memory.name,
        )
        strengths = {"logisticregression__C": [10.0**k for k in range(7)]}
        search = GridSearchCV(model, strengths, cv=GroupKFold(5))
        search.fit(texts[learn], spam[learn], groups=groups[learn])
        hits = search.predict(texts[held_out]) == spam[held_out]
        shares.append(float(hits.mean()))
        right += int(hits.sum())
        chosen.append(search.best_params_["logisticregression__C"])
        print(fold, shares[-1], chosen[-1], flush=True)
    BASELINE.write_text(
        json.dumps(
            {
                "made_with": f"scikit-learn {sklearn.__version__}, numpy {numpy.__version__}, Python {platform.python_version()}",
                "tested": len(all_mails),
                "right": right,
                "accuracy": right / len(all_mails),
                "folds": shares,
                "strengths": chosen,
                "majority": float(max(spam.mean(), 1 - spam.mean())),
            },
            indent=2,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
