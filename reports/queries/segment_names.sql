-- what a reader reads before the value of a segment, in the order in which they are shown
select * from (
    values
    ('platform', 'Platform', 1),
    ('app_version', 'Version', 2),
    ('user_type', 'Users who are', 3),
    ('hour_of_day', 'Hours', 4),
    ('city', 'City', 5),
    ('previous_pattern', 'Session after', 6)
) as segment_names (segment, title, place)
