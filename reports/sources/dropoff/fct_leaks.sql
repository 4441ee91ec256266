select * from marts.fct_leaks
