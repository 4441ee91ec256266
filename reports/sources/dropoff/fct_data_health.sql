select * from marts.fct_data_health
