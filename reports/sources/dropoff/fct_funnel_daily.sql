select * from marts.fct_funnel_daily
