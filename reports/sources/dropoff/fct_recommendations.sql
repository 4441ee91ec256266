select * from marts.fct_recommendations
