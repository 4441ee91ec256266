{# part_of_place: of 1 to 35 rows, in ten parts. #}
with

counts as (

    select cast(unnest(range(1, 36)) as bigint) as count_rows

),

places as (

    select
        count_rows,
        cast(unnest(range(1, count_rows + 1)) as bigint) as place
    from counts

),

parts as (

    select
        count_rows,
        place,
        ntile(10) over (partition by count_rows order by place) as expected_part,
        {{ part_of_place('place', 'count_rows', 10) }} as part
    from places

)

select *
from parts
where part is distinct from expected_part
