"""What finished runs say: pure functions from records to values that tables, figures and the report show."""
