"""Hidden: `split(strip_semicolon=True)`, as the issue describes it, by its behaviour alone."""

import pytest

import sqlparse


def test_semicolons_are_dropped_when_asked():
    sql = 'select * from foo; select * from bar;'
    assert sqlparse.split(sql, strip_semicolon=True) == ['select * from foo', 'select * from bar']


def test_semicolons_stay_when_told_so():
    sql = 'select * from foo; select * from bar;'
    assert sqlparse.split(sql, strip_semicolon=False) == ['select * from foo;', 'select * from bar;']


@pytest.mark.parametrize('ending', [';', ' ;', ';  ', ' ;\n', '\n;\n', ';;', ';  ;'])
def test_nothing_but_the_statement_is_left(ending):
    found = sqlparse.split('select * from foo' + ending, strip_semicolon=True)
    assert [each for each in found if each] == ['select * from foo']


def test_a_last_statement_without_one_stays():
    found = sqlparse.split('select 1; select 2', strip_semicolon=True)
    assert found == ['select 1', 'select 2']


def test_semicolons_in_strings_stay():
    found = sqlparse.split("select ';' from foo; select 'a;b';", strip_semicolon=True)
    assert found == ["select ';' from foo", "select 'a;b'"]


def test_semicolons_within_a_procedure_stay():
    sql = ('CREATE PROCEDURE foo() BEGIN SELECT 1; SELECT 2; END;'
           'select 3;')
    found = sqlparse.split(sql, strip_semicolon=True)
    assert found == ['CREATE PROCEDURE foo() BEGIN SELECT 1; SELECT 2; END', 'select 3']


def test_the_default_is_as_before():
    assert sqlparse.split('select 1; select 2;') == ['select 1;', 'select 2;']
