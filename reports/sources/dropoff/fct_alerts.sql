select * from marts.fct_alerts
