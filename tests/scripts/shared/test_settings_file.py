"""Settings in files: TOML and config.json read, TOML written, and every mistake in one line."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sidestep.agents import (
    DeepSarsaConfig,
    EnvConfig,
    NetworkConfig,
    ReinforceConfig,
    RunConfig,
    TrainingConfig,
)
from sidestep.scripts.shared.settings_file import (
    config_flag,
    read_settings,
    settings_of,
    settings_text,
    words_of,
    write_settings,
)
from sidestep.scripts.shared.train_flags import options_of

ODD: dict[str, Any] = {
    "env": 'a "quoted"\\ word\n\x1b',
    "env_kwargs": ["length=10", "name='x y'"],
    "num_envs": 16,
    "learning_rate": 2.9999999999999997e-05,
    "discount": 1.0,
    "tensorboard": True,
    "channels": [],
    "memory_span": None,
}


def a_run(**training: Any) -> RunConfig:
    network = NetworkConfig(hidden_sizes=(7, 5), memory="gru", memory_span=13, channels=())
    agent = DeepSarsaConfig(network=network, learning_rate=1e-3 / 3, final_learning_rate=None)
    return RunConfig(
        "deep-sarsa",
        EnvConfig("CartPole-v1", ("a=1", "b=x y"), 77),
        agent,
        TrainingConfig(tensorboard=True, **training),
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "best.toml"
    write_settings(path, ODD, "Found by a search.\n\nValue 0.5")
    assert path.read_text().startswith("# Found by a search.\n#\n# Value 0.5\nenv = ")
    assert read_settings(path) == {**ODD, "memory_span": "None"}  # as the flag has it
    with pytest.raises(TypeError, match="space: expected a number, a word"):
        settings_text({"space": {"log": [1, 2]}})


def test_tables_of_any_name_are_read_through(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('learner = "reinforce"\n[agent]\ndiscount = 0.5\n[rest]\nnum_envs = 4\n')
    assert read_settings(path) == {"learner": "reinforce", "discount": 0.5, "num_envs": 4}


def words(settings: dict[str, Any], learner: str = "deep-sarsa") -> list[str]:
    other = "reinforce" if learner == "deep-sarsa" else "deep-sarsa"
    flags = options_of(learner)
    return words_of(settings, flags, "f.toml", {other: options_of(other)})


def test_settings_become_flags() -> None:
    told = words({**ODD, "env": "A-v0", "total_steps": 1e6, "preset": "textbook", "memory": "gru"})
    assert told == [
        *("--env", "A-v0", "--env-kwargs", "length=10", "name='x y'", "--num-envs", "16"),
        *("--learning-rate", "2.9999999999999997e-05", "--discount", "1.0", "--tensorboard"),
        *("--channels", "--memory-span", "None", "--total-steps", "1000000"),
        *("--preset", "textbook", "--memory", "gru"),
    ]
    assert words({"tensorboard": False, "memory_span": "None", "discount": 1}) == [
        *("--no-tensorboard", "--memory-span", "None", "--discount", "1")
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rates": 1}, "got 'learning_rates' (did you mean learning_rate?)"),
        ({"learning-rate": 1}, "got 'learning-rate' (did you mean learning_rate?)"),
        ({"entropy_end": 0.1}, "got 'entropy_end', which is one of reinforce"),
        ({"config": "b.toml"}, "expected settings by their flags' names, got 'config'"),
        ({"num_envs": 4.5}, "num_envs: expected int, got 4.5"),
        ({"num_envs": True}, "num_envs: expected int, got True"),
        ({"discount": "0.9"}, "discount: expected float, got '0.9'"),
        ({"final_learning_rate": "none"}, "final_learning_rate: expected float | None, got 'none'"),
        ({"hidden_sizes": 64}, "hidden_sizes: expected tuple[int, ...], got 64"),
        ({"hidden_sizes": [64, "x"]}, "hidden_sizes: expected tuple[int, ...], got (64, 'x')"),
        ({"env_kwargs": {"length": 3}}, "env_kwargs: expected tuple[str, ...]"),
        ({"tensorboard": 1}, "tensorboard: expected bool, got 1"),
        ({"preset": "textbok"}, "expected one of default, textbook, thorough, got 'textbok' (did"),
        ({"preset": []}, "preset: expected one of default, textbook, thorough, got []"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        words({"gif_episodes": 0, **settings})
    assert str(caught.value).startswith("f.toml: ") and message in str(caught.value)


def test_a_run_is_told_by_every_setting_it_has(tmp_path: Path) -> None:
    run = a_run(seed=3)
    settings = settings_of(run)
    expected = {**asdict(run.agent), **asdict(run.agent.network), **asdict(run.training)}
    del expected["network"]
    told = {"learner", "env", "env_kwargs", "max_episode_steps", "vectorization"}
    assert settings.keys() == expected.keys() | told
    assert {name: settings[name] for name in expected} == expected
    assert (settings["env"], settings["env_kwargs"]) == ("CartPole-v1", ("a=1", "b=x y"))
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(run.to_json())
    assert read_settings(folder / "config.json") == read_settings(folder) == settings
    write_settings(tmp_path / "same.toml", settings)
    told_by_toml = read_settings(tmp_path / "same.toml")
    del told_by_toml["learner"], settings["learner"]
    assert words(told_by_toml) == words(settings)


def test_a_run_of_before_a_field_is_read_as_it_was(tmp_path: Path) -> None:
    text = RunConfig("reinforce", EnvConfig(), ReinforceConfig(), TrainingConfig()).to_json()
    path = tmp_path / "config.json"
    path.write_text(text.replace('"codes": null,', "").replace('"channels_axis": "auto",', ""))
    settings = read_settings(path)
    assert settings["codes"] == 0 and settings["channels_axis"] == "bytes"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "x = [", "a.toml: expected TOML, got"),
        ("a.toml", b"x = '\xff'", "a.toml: expected TOML, got"),
        ("a.toml", "[a]\nx = 1\n[b]\nx = 2", "expected each setting once, got x twice"),
        ("a.toml", "modules = ['no such']", "a.toml: expected names of modules, got 'no such'"),
        ("a.toml", "modules = ['nope_']", "a.toml: modules: expected one to import, got 'nope_'"),
        ("a.json", "{", "a.json: expected JSON, got"),
        ("a.json", "{}", "a.json: expected an entry 'learner', got none"),
        ("a.json", '{"kind": "lm"}', "expected a run of `sidestep train`, got one of 'lm'"),
        ("a.yaml", "", "config: expected a config.json or a .toml file, got "),
    ],
)
def test_wrong_files_are_told(name: str, text: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError) as caught:
        read_settings(path)
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_no_file_and_an_env_of_a_module_that_nobody_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="config: expected a file that is there, got"):
        read_settings(tmp_path / "a.toml")
    with pytest.raises(FileNotFoundError, match=r"got .*config\.json"):
        read_settings(tmp_path)
    text = a_run().to_json().replace("CartPole-v1", "strangers_own:CartPole-v1")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match="`--modules strangers_own` or"):
        read_settings(tmp_path)


def test_the_flag_is_found_among_others() -> None:
    assert config_flag(["--seed", "3", "--config", "a.toml", "--env-kwargs", "a=1"]) == Path(
        "a.toml"
    )
    assert config_flag(["--config=b.toml", "--config", "c.toml"]) == Path("c.toml")
    assert config_flag(["--configs", "a"]) is None and config_flag(["--config"]) is None
