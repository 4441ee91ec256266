select * from marts.fct_intervention_daily
