select * from marts.fct_landing_checks
