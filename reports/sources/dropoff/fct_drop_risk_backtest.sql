select * from marts.fct_drop_risk_backtest
