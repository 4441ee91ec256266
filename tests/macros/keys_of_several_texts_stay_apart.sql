with

cases as (

    select
        'a|b' as first_one,
        'c' as second_one,
        'a' as first_two,
        'b|c' as second_two

)

select *
from cases
where
    {{ hash_key(['first_one', 'second_one']) }}
    = {{ hash_key(['first_two', 'second_two']) }}
