select * from marts.fct_journey_flows_daily
