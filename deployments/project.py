"""Where the project lies: the folder of prefect.yaml and prefect.toml."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
