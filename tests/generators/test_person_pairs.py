"""Partners by person."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.generators._person_pairs import of_another_person, of_the_same_person


@pytest.mark.parametrize("seed", range(5))
def test_partners_are_of_other_persons_and_all_serve(seed: int) -> None:
    person = np.random.default_rng(seed).integers(0, 4, 40)
    rows = of_another_person(person)
    assert (person[rows] != person).all()
    assert len(set(rows.tolist())) > 20


def test_the_same_person_is_shown_otherwise_where_there_is_another_picture() -> None:
    person = np.array([0, 1, 0, 2, 0, 2])
    rows = of_the_same_person(person)
    assert (person[rows] == person).all()
    assert [row == place for place, row in enumerate(rows)] == [False, True] + [False] * 4


def test_one_person_has_no_partner() -> None:
    with pytest.raises(ValueError, match="all of one person"):
        of_another_person(np.zeros(3, np.int64))
