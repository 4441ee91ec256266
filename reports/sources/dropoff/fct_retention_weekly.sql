select * from marts.fct_retention_weekly
