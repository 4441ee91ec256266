select * from marts.fct_sessions_daily
