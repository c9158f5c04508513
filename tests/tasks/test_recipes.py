"""The recipes in YAML are the tasks, spelled out."""

from pathlib import Path

import pytest
import yaml

from unrolled.cli._fit import parse_fit
from unrolled.tasks import TASKS

RECIPES = Path(__file__).parents[2] / "recipes"


def test_there_is_a_recipe_for_each_task() -> None:
    assert {path.stem for path in RECIPES.glob("*.yaml")} == set(TASKS)


@pytest.mark.parametrize("name", list(TASKS))
def test_a_recipe_spells_out_its_task(name: str) -> None:
    recipe = RECIPES / f"{name}.yaml"
    assert yaml.safe_load(recipe.read_text()) == {"task": name, **TASKS[name].settings}
    from_recipe = parse_fit(["--config", str(recipe), "--output", "x"])
    from_task = parse_fit(["--task", name, "--output", "x"])
    from_recipe.pop("config")
    from_task.pop("config")
    assert from_recipe == from_task
