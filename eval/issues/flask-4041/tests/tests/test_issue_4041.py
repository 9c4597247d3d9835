"""Hidden: a blueprint's name may not contain a dot. Written from the issue's text alone."""

import pytest

import flask


@pytest.mark.parametrize("name", ["app.ui", ".ui", "ui.", "a.b.c", "."])
def test_a_name_with_a_dot_is_refused(name):
    with pytest.raises(ValueError):
        flask.Blueprint(name, __name__)


@pytest.mark.parametrize("name", ["ui", "app_ui", "app-ui", "ui2"])
def test_other_names_are_taken(name):
    assert flask.Blueprint(name, __name__).name == name


def test_nested_blueprints_keep_their_dotted_endpoints():
    app = flask.Flask(__name__)
    parent = flask.Blueprint("parent", __name__)
    child = flask.Blueprint("child", __name__)

    @child.route("/nested")
    def index():
        return flask.url_for("parent.child.index")

    parent.register_blueprint(child)
    app.register_blueprint(parent)
    assert app.test_client().get("/nested").data == b"/nested"


def test_views_of_a_blueprint_work_as_before():
    app = flask.Flask(__name__)
    blueprint = flask.Blueprint("ui", __name__)

    @blueprint.route("/")
    def index():
        return flask.url_for(".index")

    app.register_blueprint(blueprint)
    assert app.test_client().get("/").data == b"/"
