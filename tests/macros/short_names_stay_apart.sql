with

cases as (

    select
        repeat('x', 80) as at_most,
        repeat('x', 81) as longer,
        repeat('x', 80) || 'y' as other

)

select *
from cases
where
    {{ short_name('at_most') }} != at_most
    or length({{ short_name('longer') }}) > 80
    or {{ short_name('longer') }} = {{ short_name('other') }}
