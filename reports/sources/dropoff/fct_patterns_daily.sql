select * from marts.fct_patterns_daily
