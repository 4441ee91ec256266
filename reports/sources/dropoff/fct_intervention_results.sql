select * from marts.fct_intervention_results
