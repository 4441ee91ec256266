select * from marts.fct_pattern_changes
