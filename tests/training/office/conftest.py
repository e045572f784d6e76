from tests.training.figures.conftest import app, change, content, course, loaded, regions, seat, settled, version  # noqa: F401
