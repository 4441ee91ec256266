select * from marts.fct_identity_health
