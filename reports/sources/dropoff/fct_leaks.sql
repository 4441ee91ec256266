-- what is held back has no figure to show; how many there are is told beside the others
select
    *,
    count(*) filter (where is_held_back) over (partition by funnel, stage_order) as count_held_back,
from marts.fct_leaks
qualify not is_held_back
