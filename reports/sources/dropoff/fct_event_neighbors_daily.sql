select * from marts.fct_event_neighbors_daily
