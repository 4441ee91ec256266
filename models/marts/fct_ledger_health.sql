{{ rows_by_reason(
    '(staged)',
    ref('stg_ledger__assignments'),
    ref('stg_ledger__rejected_rows'),
    ledger_reject_reasons()
) }}
